"""No command writes a file in place: ``siommu.generate.files`` does, whole or not at all."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: (file, function, call) that may write in place, and why.
ALLOWED = {
    ("hdl/siommu/generate/files.py", "write_whole", "write_bytes"): "the helper: into a folder "
                                                                    "of its own",
    ("hdl/siommu/generate/files.py", "whole", "replace"): "the helper: the rename",
    ("sim/demo/files.py", "_sparse", "open"): "into the helper's path, for a hole needs seek()",
    ("sim/demo/__init__.py", "run_demo", "open"): "the SSD's image, a disk and no result",
    ("sim/demo/machine.py", "read_everything", "open"): "an application's open() on the SSD",
    ("sim/demo/machine.py", "write_allowed", "open"): "an application's open() on the SSD",
    ("sim/qemu/__main__.py", "_map", "open"): "the SSD's image, a disk and no result",
    ("sim/qemu/story.py", "tell", "open"): "the SSDs' images, and the guest's console",
    ("sim/host/userlib.py", "open", "open"): "an application's open() on the SSD",
    ("fpga/tools.py", "run", "open"): "into the helper's path: a tool's output while it runs",
    ("fpga/tools.py", "run", "rename"): "a whole folder takes its place",
    ("sim/folders.py", "made", "rename"): "a whole folder takes its place",
    ("sim/folders.py", "replaced", "rename"): "a whole folder takes its place",
    ("scripts/site/stage.py", "stage", "copytree"): "into a folder that is not yet in its place",
    ("sim/folders.py", "locked", "open"): "a lock, which stays empty",
    ("sim/verilated/build.py", "_make_library", "write_text"): "into a folder that is not yet in "
                                                               "its place",
    ("tests/regression/waves.py", "main", "move"): "into the helper's path",
    ("sim/drawing.py", "drawn", "savefig"): "into the helper's path",
    ("tests/demo/rtl.py", "demo", "open"): "a log that is shown while it grows; it counts only "
                                           "when the simulation passed",
    ("tests/mutations.py", "mutated_tree", "copytree"): "a tree in a temporary folder",
    ("tests/mutations.py", "mutated_tree", "write_text"): "a tree in a temporary folder",
    ("tests/cluster/one_node.py", "_run", "open"): "what a daemon says while it runs",
    ("tests/cluster/one_node.py", "start", "write_bytes"): "a key in a test's temporary folder",
    ("tests/cluster/one_node.py", "start", "write_text"): "settings in a test's temporary folder",
    ("tests/regression/runtime.py", "_keep", "copyfile"): "into a folder of `once`",
    ("tests/support/program.py", "run", "write_text"): "a program in a test's temporary folder",
    ("tests/support/jobs.py", "jobs_in", "write_text"): "modules in a test's temporary folder",
}
WRITERS = {"write_text", "write_bytes", "savefig", "copy", "copy2", "copyfile", "copytree", "move",
           "rename", "replace", "renames", "touch", "link_to", "symlink_to", "hardlink_to"}
#: Of these the name alone says nothing: lists, strings and dataclasses have methods like that.
ONLY_OF = {"copy": {"shutil"}, "move": {"shutil"}, "copytree": {"shutil"}}


def _mode(call):
    """The mode of a call of ``open``: the second argument of the function, the first of a path's
    method, as far as it is a literal; "?" if not."""
    method = isinstance(call.func, ast.Attribute)
    place = 0 if method else 1
    node = next((word.value for word in call.keywords if word.arg == "mode"),
                call.args[place] if len(call.args) > place else None)
    if node is None:
        return "r"
    return node.value if isinstance(node, ast.Constant) else "?"


def writes(source):
    """(function, call) of everything in Python text that writes or moves a file."""
    found = []

    def look(node, function):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            function = node.name
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            owner = getattr(getattr(node.func, "value", None), "id", None)
            if name == "open" and owner != "tarfile":
                mode = _mode(node)
                # A mode like "rw" is that of an application's open() on the SSD.
                if isinstance(mode, str) and set(mode) <= set("rwaxbt+?") and mode != "rw" \
                        and set(mode) & set("wax+?"):
                    found.append((function, name))
            elif name == "replace":         # a path's has one argument, a text's has two
                if len(node.args) == 1 and not node.keywords or owner == "os":
                    found.append((function, name))
            elif name in WRITERS and owner in ONLY_OF.get(name, {owner}):
                found.append((function, name))
        for child in ast.iter_child_nodes(node):
            look(child, function)
    look(ast.parse(source), "")
    return found


@pytest.mark.parametrize("line, call", [
    ('path.write_text("")', "write_text"), ('path.write_bytes(b"")', "write_bytes"),
    ('open(path, "w")', "open"), ('open(path, mode="ab")', "open"), ('path.open("r+b")', "open"),
    ('path.open(mode="x")', "open"), ("open(path, how)", "open"), ('path.open("w")', "open"),
    ('os.open(path, "w")', "open"), ("os.replace(a, b)", "replace"), ("a.replace(b)", "replace"),
    ("drawing.savefig(path)", "savefig"), ("shutil.copyfile(a, b)", "copyfile"),
    ("shutil.move(a, b)", "move"), ("path.touch()", "touch")])
def test_finds(line, call):
    assert writes(f"def f():\n    {line}\n") == [("f", call)]


@pytest.mark.parametrize("line", [
    "open(path)", 'open(path, "rb")', "path.open()", 'text.replace("a", "b")', "list.copy()",
    'tarfile.open(fileobj=a, mode="w")', 'user.open("/home/x", "rw")', "replace(beat, tag=1)"])
def test_lets_pass(line):
    assert not writes(line)


def test_no_command_writes_in_place():
    found = {(str(path.relative_to(ROOT)), *write)
             for folder in ("hdl", "fpga", "scripts", "sim", "tests")
             for path in sorted((ROOT / folder).rglob("*.py"))
             if not path.name.startswith("test_")       # these write into tmp_path
             for write in writes(path.read_text())}
    new, gone = sorted(found - set(ALLOWED)), sorted(set(ALLOWED) - found)
    assert not new, "use siommu.files.write_whole or whole"
    assert not gone, "these reasons have lost their calls"


def test_no_recipe_redirects_into_a_file():
    for name in ("Makefile", "scripts/check_tools.sh", ".ci/run"):
        for line in (ROOT / name).read_text().splitlines():
            rest = re.sub(r"2>&1|>&2|[12]?>/dev/null|->|<\w+>", "", line)
            assert line.lstrip().startswith("#") or ">" not in rest, f"{name}: {line}"
