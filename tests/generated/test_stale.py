"""The generated files are what the declarations give today."""

import pytest

from scripts.generate import OUTPUTS, ROOT


@pytest.mark.parametrize("name", OUTPUTS)
def test_is_fresh(name, tmp_path):
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    OUTPUTS[name](path)
    # Compared as a whole first: a difference of thousands of lines is slow to draw.
    assert (ROOT / name).exists() and (ROOT / name).read_bytes() == path.read_bytes(), \
        f"{name} is stale; `make generate` writes it anew"


def test_nothing_else_is_generated():
    """No file without a generator stays behind in the folders of generated files."""
    for folder in ("hdl/include", "hdl/ipxact", "hdl/templates", "docs/pictures"):
        assert {f"{folder}/{path.name}" for path in (ROOT / folder).iterdir()} <= set(OUTPUTS)
