import pytest

from ..mutations import HDL, MUTATIONS


@pytest.mark.parametrize("name", MUTATIONS)
def test_the_text_to_replace_stands_there_once(name):
    """The list of planted faults follows the RTL."""
    mutation = MUTATIONS[name]
    text = (HDL / "siommu" / f"{mutation.module}.py").read_text()
    assert text.count(mutation.old) == 1
    compile(text.replace(mutation.old, mutation.new), mutation.module, "exec")
