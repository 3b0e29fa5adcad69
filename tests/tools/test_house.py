"""The rooms of hdl/: how large files, methods and boundaries may be, and who may import whom."""

import ast
import re
from pathlib import Path

import pytest
from amaranth.hdl import Fragment
from amaranth.lib import wiring

from siommu.arch.config import PRESETS
from siommu.bridge.top import SiommuAxiBridge
from siommu.top import Siommu

ROOT = Path(__file__).resolve().parents[2] / "hdl" / "siommu"
FILES = sorted(ROOT.rglob("*.py"))
LINES, METHOD, MEMBERS = 300, 60, 20

#: Packages in the data's order: each imports itself and those before it. ``pipeline`` is the
#: vocabulary between the stages.
ORDER = ("arch", "lib", "bus", "pipeline", "store", "response", "walk", "tlb", "request", "miss",
         "control", "bridge")


def _name(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_no_room_is_too_large(path):
    text = path.read_text()
    assert text.count("\n") <= LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            lines = node.end_lineno - node.lineno + 1
            assert lines <= METHOD, f"{node.name} has {lines} lines"


def _components(fragment, found):
    for origin in fragment.origins or ():
        if isinstance(origin, wiring.Component):
            found[type(origin)] = len(origin.signature.members)
    for inner, *_ in fragment.subfragments:
        _components(inner, found)
    return found


def test_boundaries_have_few_members():
    """A member that is a signature of its own counts as one. The Verilog modules have their flat
    ports by specification (§2, §9)."""
    found = {}
    for preset in PRESETS.values():
        _components(Fragment.get(Siommu(preset), None), found)
    _components(Fragment.get(SiommuAxiBridge(), None), found)
    del found[Siommu], found[SiommuAxiBridge]
    assert len(found) > 30
    large = {kind.__name__: members for kind, members in found.items() if members > MEMBERS}
    assert not large


def test_no_method_reads_another_ones_wires():
    """Signals pass between methods as arguments and results. (What ``__init__`` sets is a
    component's configuration.)"""
    hidden = []
    for path in FILES:
        if path.parent.name == "generate":      # that is no hardware
            continue
        for kind in ast.walk(ast.parse(path.read_text())):
            if not isinstance(kind, ast.ClassDef):
                continue
            for method in kind.body:
                if isinstance(method, ast.FunctionDef) and method.name != "__init__":
                    hidden += [f"{_name(path)}: {node.attr}" for node in ast.walk(method)
                               if isinstance(node, ast.Attribute)
                               and isinstance(node.ctx, ast.Store)
                               and isinstance(node.value, ast.Name) and node.value.id == "self"]
    assert not hidden


@pytest.mark.parametrize("path", [path for path in FILES if path.parent.name in ORDER], ids=_name)
def test_imports_follow_the_data(path):
    place = ORDER.index(path.parent.name)
    for package in re.findall(r"^from \.\.(\w+)\.", path.read_text(), re.M):
        assert ORDER.index(package) <= place, f"imports {package}"


def test_the_core_wires_and_does_nothing_else():
    """Its statements are connections; what is decided, is decided in a component."""
    for name in ("core.py", "control_plane.py", "top.py", *(
            f"bridge/{part}.py" for part in ("bridge", "read_path", "top", "write_path"))):
        text = (ROOT / name).read_text()
        assert not re.search(r"m\.(If|Elif|Else|Switch|FSM)\b|Memory\(", text), name
