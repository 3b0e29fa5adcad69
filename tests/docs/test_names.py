"""What the documents name exists: files, tests, proofs, planted faults, targets of make, options,
registers, parameters, and everything else in backticks.

Modules and tests are looked for in the whole tree, so that they may move to other folders.
"""

import enum
import re

import pytest
from amaranth.lib import data

from fpga.synth import variants
from sim.board.protocol import OPERATIONS
from siommu import Config
from siommu.arch import formats
from siommu.arch.register_map import REGISTERS

from ..campaign.jobs import KINDS
from ..formal.__main__ import PROOFS
from ..linux.stress import MODULE_FAULTS
from ..mutations import MUTATIONS
from ..regression.test_regression import MODULES
from .repository import DOCUMENTS, ROOT, code, files, functions, prose, table, texts_of, words
from .test_figures import design

#: Generated from the declarations; `tests/generated` compares them.
WRITTEN = tuple(name for name in DOCUMENTS if name not in ("docs/registers.md", "docs/formats.md"))

#: Files that commands leave, or that an example has the reader make.
OUTPUTS = {"siommu.v", "synth.json", "results.json", "tests/hdl/test_example.py",
           "tests/regression/example.py"}

#: How the documents write a test; an expression of pytest that selects a file.
EXAMPLES = {"module::test", 'SEED=5 make test ARGS="-k test_first_level -s"'}

#: Options of the tools of others.
FOREIGN_OPTIONS = {"--lint-only", "--top-module", "--target"}

#: The specification says these, and the core does not have them: its additions say so. What comes
#: to exist is to be taken out here, and in the additions.
NOT_BUILT = set()

#: Names of formats whose words are declared once for both tables, of words in descriptions, and of
#: the parameters as the specification writes them.
OTHER_CAPITALS = {"MEM_V", "MEM_L5", "MEM_FMT", "MEM_ROOT", "STO_V", "STO_L5", "STO_ROOT",
                  "AXI_DATA_WIDTH", "PORT_egress", "PORT_ingress"}

each_document = pytest.mark.parametrize("document", WRITTEN)


def _report(places):
    """Fails if there are any; they are (place, what does not exist)."""
    lines = [f"{place}: {text}" for place, text in places]
    assert not lines, "\n".join(["the documents name what does not exist:", *lines])


def _is_there(name):
    """Whether a file or a folder of this name, or path's end, is in the tree."""
    name = name.rstrip("/")
    return (ROOT / name).exists() or any(
        path.endswith(f"/{name}") for path in files(name.rpartition("/")[2]))


# -- files ---------------------------------------------------------------------------------------

@each_document
def test_files(document):
    path = re.compile(r"^[\w./-]+/$"
                      r"|[\w./-]+\.(?:py|md|v|sh|json|h|xml|rdl|svg|lock|toml|vlt)\b"
                      r"|^(?:hdl|sim|tests|docs|fpga|scripts)/[\w./-]+")
    wrong = []
    for place in code(document):
        for name in path.findall(place.text):
            if not (name in OUTPUTS or name.startswith("build/") or _is_there(name)):
                wrong.append((place, f"the file `{name}`"))
    _report(wrong)


@each_document
def test_links(document):
    wrong = []
    for place in prose(document):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", place.text):
            if not (ROOT / document).parent.joinpath(target).exists():
                wrong.append((place, f"the target {target} of a link"))
    _report(wrong)


# -- tests, proofs and planted faults --------------------------------------------------------------

def _tests_named(name):
    """Files of tests that have the function ``name``."""
    return [path for path, names in functions().items()
            if path.startswith("tests/") and name in names]


def _regression_tests():
    """The cocotb tests, by module."""
    return {module: names for path, names in functions().items() for module in MODULES
            if path.startswith("tests/") and path.endswith(f"/{module}.py")}


def _is_a_test(name):
    """Whether ``name`` is a test or what holds some, in one of the forms that documents use."""
    holder, colons, test = name.rpartition("::")
    regression = _regression_tests()
    if colons:
        if holder in regression:
            return test in regression[holder]
        return any(path.endswith(f"/{holder}") or path == holder for path in _tests_named(test))
    return bool(_tests_named(name) or name in regression or name in PROOFS or name in MUTATIONS
                or re.fullmatch(r"[\w/.]+\.py", name) and _is_there(name)
                or re.fullmatch(r"[\w/]+/", name) and _is_there(name)
                or any(path.endswith(f"/{name}.py") for path in functions()))


@each_document
def test_tests(document):
    """`test_x`, `test_x.py`, `module::test`, wherever they stand."""
    wrong = []
    for place in code(document):
        if place.text in EXAMPLES:
            continue
        for name in re.findall(r"[\w./]+::\w+|(?<![\w/])test_\w+(?:\.py)?", place.text):
            if name not in OUTPUTS and not _is_a_test(name):
                wrong.append((place, f"the test `{name}`"))
    _report(wrong)


#: (document, first columns, the column that names nothing but tests, and proofs)
COLUMNS = (
    ("docs/verification.md", ("testpoint", "stimulus"), 3),
    ("docs/claims.md", ("part", "statement, paraphrased"), 4),
    ("docs/claims.md", ("claim", "statement, paraphrased"), 4),
)


@pytest.mark.parametrize("document, head, column", COLUMNS)
def test_columns_of_tests(document, head, column):
    """Here a name alone is a test, a module of tests, a proof or a planted fault."""
    wrong = []
    for place, cells in table(document, *head):
        for name in re.findall(r"`([^`]+)`", cells[column]):
            if not (re.match(r"(make|ft|stuck)\b", name) or _is_a_test(name)):
                wrong.append((place, f"the test `{name}`"))
    _report(wrong)


def test_tests_of_theory():
    """After "Test:" or "Tests:" theory.md names tests."""
    wrong = []
    for paragraph in re.split(r"\n\s*\n", (ROOT / "docs/theory.md").read_text()):
        _, found, rest = paragraph.partition("Test")
        if found and rest[:2] in (": ", "s:"):
            wrong += [("docs/theory.md", f"the test `{name}`") for name in
                      re.findall(r"`([\w:.]+)`", rest.partition(" compare")[0])
                      if not _is_a_test(name)]
    _report(wrong)


@each_document
def test_hyphenated_names(document):
    """`a-b`, if it is no configuration of the synthesis and no test of the regression on a
    configuration, is a planted fault, a proof, or a kind of campaign."""
    wrong = [(place, f"the planted fault or proof `{place.text}`") for place in code(document)
             if re.fullmatch(r"[a-z]\w*(-[a-z0-9]+)+", place.text)
             and place.text not in {*variants(), "bench-synth", "siommu-host"}
             and place.text.partition("-")[0] not in MODULES     # a row of the table below
             and place.text not in {*MUTATIONS, *MODULE_FAULTS, *PROOFS, *KINDS}]
    _report(wrong)


def test_table_of_planted_faults():
    """Each row is a fault of today, as it is planted today, and the tests in it exist."""
    from ..regression.bridge.test_bridge import _items as _bridge_items
    from ..regression.test_regression import _items
    items = {re.sub(r"/?seed=\d+", "", item.id) for item in (*_items(), *_bridge_items())}
    wrong, rows = [], table("docs/verification.md", "fault", "what is wrong")
    assert sorted(cells[0] for _, cells in rows) == sorted(MUTATIONS), \
        "docs/verification.md: the planted faults, each once"
    for place, (name, text, module, unit, regression) in rows:
        if name not in MUTATIONS:
            wrong.append((place, f"the planted fault {name}"))
            continue
        mutation = MUTATIONS[name]
        if (text, module) != (mutation.text, f"`{mutation.module}`"):
            wrong.append((place, f'this {name}; it is "{mutation.text}" in {mutation.module}'))
        if unit != "–" and not _tests_named(unit.strip("`")):
            wrong.append((place, f"the test {unit}"))
        if regression != "–" and re.sub(r"/?seed=\d+", "", regression.strip("`")) not in items:
            wrong.append((place, f"the test {regression}"))
    _report(wrong)


def test_table_of_proofs():
    """All proofs, each with all of its planted faults and with its depth."""
    rows = {cells[0].strip("`"): cells for _, cells in table("docs/verification.md", "proof")}
    assert set(rows) == set(PROOFS)
    for name, proof in PROOFS.items():
        assert set(re.findall(r"`([^`]+)`", rows[name][3])) == set(proof.twins), \
            f"docs/verification.md: the planted faults of the proof {name}"
        method = "k-induction" if proof.mode == "prove" else f"{proof.depth} cycles"
        assert method in rows[name][2] or "combinational" in rows[name][2], \
            f"docs/verification.md: the method of the proof {name}"


# -- commands ------------------------------------------------------------------------------------

@each_document
def test_targets_of_make(document):
    """`make x VARIABLE=…`: the target, and the variables, which the Makefile or a test reads."""
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    known = set(re.findall(r"\$\(([A-Z]+)\)", makefile)) | set(
        re.findall(r'environ(?:\.get\(|\[)"([A-Z_]+)"', "\n".join(texts_of("*.py").values())))
    wrong = []
    for place in code(document, blocks=True):
        command = re.match(r"[\s$]*((?:[A-Z]+=\S+ )*)make ([a-z][a-z-]*)\b([^#]*)", place.text)
        if not command:
            continue
        if command[2] not in targets:
            wrong.append((place, f"`make {command[2]}`"))
        for variable in re.findall(r"\b([A-Z]+)=", command[1] + command[3]):
            if variable not in known:
                wrong.append((place, f"the variable {variable} of `make {command[2]}`"))
    _report(wrong)


def _options():
    """Arguments of our commands; those of the generator are made of its parameters."""
    sources = (text for name, text in texts_of("*.py").items()
               if not name.startswith("tests/docs/"))
    return {"--help", "--no-cpu-port",
            *re.findall(r'"(--[a-z][a-z0-9-]*)"', "\n".join(sources)),
            *("--" + name.replace("_", "-") for name in Config.__dataclass_fields__)}


@each_document
def test_options(document):
    """`--option`: an argument of one of our commands."""
    ours = _options()
    wrong = [(place, f"the option {option}") for place in code(document, blocks=True)
             for option in re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", place.text)
             if option not in ours | FOREIGN_OPTIONS
             and not (document == "docs/specification.md" and option in NOT_BUILT)]
    _report(wrong)


# -- registers, formats, parameters ----------------------------------------------------------------

def _capitals():
    """Names in capitals that the declarations give, and those of the C header."""
    names = OTHER_CAPITALS | set(OPERATIONS)
    for register in REGISTERS:
        names |= {register.name, re.sub("_(LOW|HIGH)$", "", register.name)}
        names |= {field.name for field in register.fields}
    for name, value in vars(formats).items():
        if isinstance(value, type) and issubclass(value, enum.Enum):
            names |= {member.name for member in value}
        elif isinstance(value, type) and issubclass(value, data.Struct):
            names |= {str(field).upper() for field, _ in data.Layout.cast(value)}
    return names | {word for text in texts_of("siommu*.h", "*.py").values()
                    for word in re.findall(r"\b(?:SIOMMU|DRAIN)_\w+", text)}


@each_document
def test_names_in_capitals(document):
    """CQ_TAIL and its like, also without backticks: a register, a field, a cause, a command."""
    known, wrong = _capitals(), []
    if document == "docs/specification.md":
        known |= NOT_BUILT
    capitals = re.compile(r"(?<![\w$])[A-Z][A-Z0-9]*_[A-Z0-9_]*[A-Z0-9]\b(?!…|\*)")
    for place in [*prose(document), *code(document, blocks=True)]:
        for name in capitals.findall(place.text):
            if name not in known:
                wrong.append((place, f"{name}, in capitals"))
    _report(wrong)


def _ports():
    """Signals of the request ports; P, or nothing, stands for the port."""
    return {f"{port}{kind}_{name}" for port in ("", "P_") for kind, struct in (
        ("req", formats.Request), ("rsp", formats.Response))
            for name in ("valid", "ready", *(str(field) for field, _ in data.Layout.cast(struct)))}


#: Signals of AXI, and wildcards of the ports.
AXI = {*(f"{channel}{name}" for channel in ("AR", "AW") for name in (
    "CACHE", "PROT", "LOCK", "QOS", "REGION", "VALID", "READY")),
    "RRESP", "RLAST", "RREADY", "BREADY", "req_", "rsp_", "PORT"}


def _nets_of_slow_paths():
    """Names of nets as a tool wrote them, in the Verilog that docs/performance.md is about."""
    return {word for _, cells in table("docs/performance.md", "configuration", "from", "to")
            for name in re.findall(r"`([^`]+)`", " ".join(cells[1:3]))
            for word in re.findall(r"\w+", name)}


@each_document
def test_other_names(document):
    """A name in backticks (of a parameter, a signal, a class, a counter, …) is in the sources."""
    known, wrong = words() | _ports() | AXI | OTHER_CAPITALS, []
    if document == "docs/performance.md":
        known |= _nets_of_slow_paths()
    if document == "fpga/README.md":        # its table of memories is compared in test_figures.py
        known |= {name for _, name in design()[0]}
    for place in code(document):
        if place.text in EXAMPLES:
            continue
        for name in re.findall(r"(?<![\w$.'#-])[A-Za-z]\w*(?:\.[a-z]\w*)*", place.text):
            for word in name.split("."):
                if not (word in known or re.sub(r"_\d$", "", word) in known or _is_there(name)
                        or re.search(r"\bbuild/|test_example|ARGS=", place.text)
                        or place.text in OUTPUTS
                        or word.startswith("SIOMMU_")
                        or document == "docs/specification.md" and word in NOT_BUILT):
                    wrong.append((place, f"`{word}`"))
    _report(wrong)


def test_what_is_not_built():
    """A name that the specification's additions call "not built yet" does not exist."""
    known = _capitals() | words("hdl/") | _options()
    assert not NOT_BUILT & known, "docs/specification.md calls not built what exists"


# -- lists that are to be complete -----------------------------------------------------------------

def test_theory_lists_every_module():
    named = {name for _, cells in table("docs/theory.md", "module", "job")
             for name in re.findall(r"`([\w./]+)`", cells[0])}
    modules = [path for path in files("*.py", "*.rdl") if path.startswith("hdl/siommu/")
               and not path.endswith("__.py")]
    gone = [name for name in named if f"hdl/siommu/{name}" not in modules]
    assert not gone, f"the table of modules in docs/theory.md has {', '.join(gone)}"
    missing = [path for path in modules
               if not any(path.endswith(f"/{name}") for name in named)]
    assert not missing, f"the table of modules in docs/theory.md lacks {', '.join(missing)}"


def test_configuration_lists_every_parameter():
    for head in (("parameter", "range"), ("parameter", "benefit")):
        named = [name for _, cells in table("docs/configuration.md", *head)
                 for name in re.findall(r"`(\w+)`", cells[0])]
        assert sorted(named) == sorted(Config.__dataclass_fields__), \
            f"docs/configuration.md, the table of {head[1]}"


def test_readme_lists_every_document():
    text = (ROOT / "README.md").read_text()
    row = next(line for line in text.splitlines() if line.startswith("| `docs/`"))
    links = re.findall(r"\]\((docs/[\w./]+)\)", row)
    assert len(links) == len(set(links)), "README.md lists a document twice"
    assert set(re.findall(r"\]\((docs/\w+\.md)\)", text)) == {
        name for name in DOCUMENTS if name.startswith("docs/")}


def test_claims_are_complete():
    """Every claim of the patent, and every part of the first one, with a module and a test."""
    rows = [cells for head in ("claim", "part") for _, cells in
            table("docs/claims.md", head, "statement, paraphrased")]
    first = {cells[0] for cells in rows}
    parts = {"preamble", *(f"({letter})" for letter in "abcdef")}
    claims = {number for name in first for number in re.findall(r"^\d+", name)}
    missing = (parts - first) | ({str(number) for number in range(2, 17)} - claims)
    assert not missing, f"docs/claims.md lacks {', '.join(sorted(missing))}"
    empty = [cells[0] for cells in rows for column in (3, 4) if "`" not in cells[column]]
    assert not empty, f"docs/claims.md names no module, or no test, for {', '.join(empty)}"
    assert [cells[0] for _, cells in table("docs/claims.md", "claim", "subject")] == [
        str(number) for number in range(1, 17)], "docs/claims.md: the overview of the claims"
