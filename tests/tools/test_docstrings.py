"""Every public method says what it is; ruff looks at modules, classes and functions."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: Amaranth's name for what turns a component into logic: the class says what that does.
NAMED_BY_OTHERS = {"elaborate"}


def undocumented(source):
    """Names of the public methods of public classes in Python text that have no docstring."""
    return [f"{group.name}.{node.name}" for group in ast.walk(ast.parse(source))
            if isinstance(group, ast.ClassDef) and not group.name.startswith("_")
            for node in group.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
            and not node.name.startswith("_") and node.name not in NAMED_BY_OTHERS
            and not ast.get_docstring(node)]


def test_finds():
    assert undocumented("class A:\n def f(self): pass\n async def g(self): pass\n"
                        " def h(self): 'doc'\n def _i(self): pass\n def elaborate(self): pass\n"
                        "class _B:\n def f(self): pass\n") == ["A.f", "A.g"]


@pytest.mark.parametrize("folder", ["hdl", "sim", "scripts", "fpga"])
def test_public_methods_have_docstrings(folder):
    found = [f"{path.relative_to(ROOT)}: {name}" for path in sorted((ROOT / folder).rglob("*.py"))
             for name in undocumented(path.read_text())]
    assert not found
