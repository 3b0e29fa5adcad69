"""Quotations of the specification are literal text of docs/specification.md.

A quotation names its section and stands in double quotes: §4.2, "Read the device entry."; a colon
or a comma may stand between the two. The digit behind the section of §4 is the step. A quotation
may go on over several lines of a comment. Everything in this form is looked up, wherever it stands;
the section's text counts, and not the additions of this project (block quotes).
"""

import hashlib
import re

import pytest

from .repository import ROOT, texts_of

SPECIFICATION = ROOT / "docs" / "specification.md"
QUOTATION = re.compile(r'§(\d(?:\.\d)?)[:,]\s+"([^"]+)"')

#: Every step of the golden model quotes what it does, so it holds at least so many.
LEAST = {"sim/model/golden.py": 45, "sim/host/control/model.py": 9}

#: Of the text without additions. It is version 1.1, and does not change by an oversight.
SHA256 = "69e25a6dd136568f957e2524f928179681c5954731ba9a69b2bb48a11ea78a39"


def _plain(text):
    """``text`` without emphasis, and with one space between words."""
    return " ".join(re.sub(r"[*`]", "", text).split())


def _normative():
    """The specification without the additions: a block quote, and the empty line before it."""
    return re.sub(r"\n(>.*\n)+", "", SPECIFICATION.read_text())


def _sections():
    """Plain text by section; the steps of §4 by themselves as well, as 4.1 to 4.7."""
    parts = re.split(r"^#+ (\d(?:\.\d)?)\.? .*$", _normative(), flags=re.M)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    steps = re.split(r"^(\d)\. ", sections["4"], flags=re.M)
    # The last step ends with its paragraph.
    sections |= {f"4.{number}": text.partition("\n\n")[0]
                 for number, text in zip(steps[1::2], steps[2::2], strict=True)}
    return {number: _plain(text) for number, text in sections.items()}


def _quotations():
    """(file, line, section, quotation) of all sources and documents."""
    for name, text in sorted(texts_of("*.py", "*.rdl", "*.md", "*.h.in").items()):
        if name in ("docs/specification.md", "tests/docs/test_quotes.py"):
            continue
        # A comment's signs between two lines of a quotation are no part of it; lines are kept.
        text = re.sub(r"^[ ]*(#|//|\*)(?= )", "", text, flags=re.M)
        for found in QUOTATION.finditer(text):
            yield name, text.count("\n", 0, found.start()) + 1, found[1], found[2]


QUOTATIONS = list(_quotations())


@pytest.mark.parametrize("name, line, section, words", QUOTATIONS,
                         ids=[f"{name}:{line}" for name, line, _, _ in QUOTATIONS])
def test_is_literal(name, line, section, words):
    """The quotation stands in the section that it names."""
    assert _plain(words) in _sections().get(section, ""), \
        f'{name}:{line}: "{_plain(words)}" does not stand in §{section} of docs/specification.md'


@pytest.mark.parametrize("name", LEAST)
def test_all_are_found(name):
    """The convention finds the quotations, and nobody has dropped them."""
    found = sum(quotation[0] == name for quotation in QUOTATIONS)
    assert found >= LEAST[name], f"{name} holds {found} quotations, and not at least {LEAST[name]}"


@pytest.mark.parametrize("name", LEAST)
def test_none_is_without_a_section(name):
    """A comment that begins with a quotation says where it is from."""
    for number, line in enumerate((ROOT / name).read_text().splitlines(), 1):
        assert not re.match(r'\s*# "', line), f"{name}:{number}: a quotation without its section"


def test_every_step_is_quoted():
    """The golden model goes through all the steps of §4."""
    quoted = {section for name, _, section, _ in QUOTATIONS if name == "sim/model/golden.py"}
    steps = {f"4.{number}" for number in range(1, 8)}
    missing = ", ".join(sorted(steps - quoted))
    assert not missing, f"sim/model/golden.py does not quote {missing}"


def test_specification_is_of_record():
    """The text beside the additions is that of its version. Who changes it on purpose, changes the
    number above as well."""
    assert hashlib.sha256(_normative().encode()).hexdigest() == SHA256, \
        "docs/specification.md differs outside of its additions"
