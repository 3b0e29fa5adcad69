"""The reference of the Python modules, from their docstrings: a page for each package."""

import ast
from pathlib import Path

from siommu.generate.files import write_whole

__all__ = ["write"]

ROOT = Path(__file__).resolve().parents[2]
#: Root of a tree of packages to the package, in the order of the pages.
TREES = {ROOT / "hdl" / "siommu": "siommu", ROOT / "sim": "sim"}


def _packages():
    """(dotted name, modules) of each package; modules are those with an ``__all__``."""
    for root, name in TREES.items():
        for folder in sorted({path.parent for path in root.rglob("*.py")}):
            package = ".".join([name, *folder.relative_to(root).parts])
            modules = [package] * (folder / "__init__.py").exists()
            modules += [f"{package}.{path.stem}" for path in sorted(folder.glob("*.py"))
                        if path.stem not in ("__init__", "__main__") and _is_public(path)]
            yield package, modules


def _is_public(path):
    """Whether a module says what it offers."""
    return any(isinstance(node, ast.Assign) and any(
        isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets)
        for node in ast.parse(path.read_text()).body)


def write(folder):
    """Writes index.md and a page for each package into ``folder``."""
    names = []
    for package, modules in _packages():
        names.append(package)
        lines = [f"# {package}", "", "```{eval-rst}"]
        for module in modules:
            if module != package:
                lines += ["", module, "-" * len(module), ""]
            lines += [f".. automodule:: {module}", *["   :no-members:"] * (module == package), ""]
        write_whole(folder / f"{package}.md", "\n".join([*lines, "```", ""]))
    write_whole(folder / "index.md", "\n".join([
        "# Reference of the modules", "",
        "What the Python sources offer each other, from their docstrings. `siommu` is the core and "
        "its generator; `sim` has the golden model, tables, the emulated SSD, and Linux in QEMU.",
        "", "```{toctree}", ":maxdepth: 1", "", *names, "```", ""]))
