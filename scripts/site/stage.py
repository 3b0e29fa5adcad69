"""Stages the sources of the site: pages, and what they link to."""

import posixpath
import re
import shutil
from pathlib import Path

from siommu.generate.files import write_whole

from . import reference, waves

__all__ = ["ROOT", "stage"]

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

#: The first page's table of contents: caption to pages, in the order in which one reads them.
CONTENTS = {
    "Begin": ("demo", "linux", "glossary"),
    "Understand": ("specification", "theory", "formats", "registers", "claims"),
    "Integrate": ("integration", "interfaces", "configuration", "bridge", "board"),
    "Program": ("programming",),
    "Trust": ("verification", "performance"),
    "Change": ("howto", "reference/index"),
}
LANGUAGES = {".c": "c", ".h": "c", ".py": "python", ".v": "verilog", ".sh": "sh", ".svg": None}
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#:\s]+)(#[^)\s]*)?\)")


def stage(folder):
    """Fills ``folder``, which is new.

    Raises
    ------
    ValueError
        A page of docs/ is in no table of contents, or a link leads nowhere.
    """
    pages = {path.stem for path in DOCS.glob("*.md")}
    listed = {page for group in CONTENTS.values() for page in group}
    if pages - listed:
        raise ValueError(f"docs/ has pages that the site's contents miss: {sorted(pages - listed)}")
    shutil.copytree(DOCS, folder)
    linked = set()
    for path in folder.glob("*.md"):
        write_whole(path, _relinked(path.read_text(), "docs", linked))
    write_whole(folder / "index.md", _first_page(linked))
    for name in sorted(linked):
        write_whole(folder / _page_of(name), _file_page(name))
    reference.write(folder / "reference")
    waves.write(folder / "interfaces.md")


def _page_of(name):
    """The page that shows a file of the repository."""
    return f"files/{name.replace('/', '-')}.md"


def _relinked(text, place, linked):
    """``text`` of a page in the folder ``place``, with links to files made links to their pages."""
    def link(match):
        mark, words, target, anchor = match.groups()
        name = posixpath.normpath(posixpath.join(place, target))
        if not (ROOT / name).exists():
            raise ValueError(f"a page in {place}/ has a link to {target}, which does not exist")
        if name.startswith("docs/") and Path(name).suffix in (".md", ".svg"):
            return f"{mark}[{words}](/{name.removeprefix('docs/')}{anchor or ''})"
        if not (ROOT / name).is_file():
            return words
        linked.add(name)
        return f"[{words}](/{_page_of(name)})"
    return LINK.sub(link, text)


def _file_page(name):
    """A page with the content of a file."""
    language = LANGUAGES.get(Path(name).suffix, "text")
    content = (ROOT / name).read_text()
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`{3,}", content))])
    if name.endswith(".md"):
        return f"---\norphan: true\n---\n{_relinked(content, posixpath.dirname(name), set())}"
    return f"---\norphan: true\n---\n# {name}\n\n{fence}{language}\n{content}{fence}\n"


def _first_page(linked):
    """The README, and the tables of contents."""
    lines = [_relinked((ROOT / "README.md").read_text(), "", linked), ""]
    for caption, pages in CONTENTS.items():
        lines += ["```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```", ""]
    return "\n".join(lines)
