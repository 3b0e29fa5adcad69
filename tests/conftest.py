"""Spreads the tests over the processes of pytest-xdist, and closes the regression's accounts.

The hooks are here because the process that starts the others collects no tests, and so reads no
``conftest.py`` below this folder.
"""

import sys

import pytest

from .regression.coverage import COVERS
from .regression.outcome import Outcome
from .regression.seeds import SeedError, choose_seeds

#: Beginnings of the names of groups that take long, in the order in which they start: what is long
#: must not begin last, and two that wait for the build of one model must not begin together.
LONGEST = ("random_worlds-default+", "random_worlds-large",
           "tests/regression/bridge/test_bridge.py", "causes-default", "causes-edge",
           "random_worlds-small", "tests/hdl/test_core.py", "tests/hdl/generate/test_tools.py",
           "tests/hdl/walk/test_walker.py", "tests/hdl/miss/test_unit.py",
           "tests/tools/test_whole_files.py", "tests/sim/qemu/test_live_core.py",
           "tests/sim/verilated/test_library.py", "revocation-default", "riscv-default",
           "riscv-edge", "tests/fpga/image/test_host.py",
           "tests/soc/riscv/test_riscv.py")
#: Files that are too slow for the short tour (`make check`).
SLOW = ("tests/demo/test_demo.py", "tests/demo/test_driver.py", "tests/hdl/test_core.py",
        "tests/hdl/control/test_fault_decisions.py", "tests/hdl/tlb/test_lines.py",
        "tests/hdl/miss/test_unit.py", "tests/hdl/generate/test_unused.py",
        "tests/hdl/generate/test_tools.py", "tests/hdl/walk/test_walker.py",
        "tests/hdl/walk/test_step.py", "tests/sim/time/test_cocotb_scheduler.py",
        "tests/sim/host/test_kernel.py", "tests/tools/test_whole_files.py",
        "tests/sim/verilated/test_core.py", "tests/sim/qemu/test_live_core.py",
        "tests/regression/bridge/test_bridge.py", "tests/hdl/generate/test_installed.py")

_outcome = Outcome()


def group(nodeid):
    """The group of a test, which one process runs: that of its simulation or of its file, whose
    fixtures are made once."""
    file, _, name = nodeid.partition("::")
    if name.startswith("test_regression["):
        module, config, _ = name.removeprefix("test_regression[").split("-", 2)
        return f"{module}-{config}"
    return file


def place(name):
    """Where a group stands in the order of those that run in several processes."""
    of_regression = "/" not in name
    return next((index for index, beginning in enumerate(LONGEST) if name.startswith(beginning)),
                len(LONGEST) + (not of_regression))


def is_slow(name):
    """Whether the short tour leaves a group out: all simulations but one of random worlds."""
    return name in SLOW or "/" not in name and name != "random_worlds-default"


@pytest.hookimpl(optionalhook=True)         # it is xdist's
def pytest_xdist_make_scheduler(config, log):
    """Hands out groups in the order of the tests. xdist's own groups, ``loadgroup``, are by a mark
    that pytest 9 no longer lets it add to a test's name: it would spread them without a word."""
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        """Schedules tests by ``group``."""

        def _split_scope(self, nodeid):
            return group(nodeid)
    return Groups(config, log)


def pytest_configure(config):
    """Chooses the seeds before other processes start, and so inherit them."""
    try:
        choose_seeds()
    except SeedError as error:
        raise pytest.UsageError(str(error)) from error


def pytest_report_header(config):
    """Says how to replay a random world."""
    return f"seeds of the random worlds: {choose_seeds()} (SEED=n replays one)"


@pytest.hookimpl(tryfirst=True)             # before the marks choose
def pytest_collection_modifyitems(config, items):
    """Marks what the short tour leaves out, and puts the longest groups first."""
    for item in items:
        if is_slow(group(item.nodeid)):
            item.add_marker(pytest.mark.slow)
    if hasattr(config, "workerinput"):      # alone, the order of the files is easier to follow
        items.sort(key=lambda item: place(group(item.nodeid)))


def _of_this_process(session):
    """What this process ran, for ``Outcome.add``."""
    module = sys.modules.get("tests.regression.test_regression")
    if module is None or not getattr(session, "items", None):
        return [], False
    return module.ran(), module.is_whole(session.items)


@pytest.hookimpl(optionalhook=True)         # it is xdist's
def pytest_testnodedown(node, error):
    """Takes over what another process ran."""
    _outcome.add(*getattr(node, "workeroutput", {}).get("simulations", ([], False)))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session):
    """Over the whole regression, no cause, level, size or situation went untested."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["simulations"] = _of_this_process(session)
        return
    _outcome.add(*_of_this_process(session))
    if never_seen() and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def never_seen():
    """The covers that stayed empty in this run, or None if it was a part of the regression."""
    if not _outcome.whole:
        return None
    from .regression.test_regression import MODULES
    return _outcome.never_seen({(f"tests.regression.{name}", config)
                                for name, configs in MODULES.items() for config in configs})


def pytest_terminal_summary(terminalreporter):
    """Shows the regression's figures, and the covers that failed the run."""
    figures = _outcome.figures()
    if figures:
        terminalreporter.section("figures of the core, in clock cycles")
        for line in figures:
            terminalreporter.line(line)
    empty = never_seen()
    if empty == []:
        terminalreporter.section(f"all {len(COVERS)} covers of the regression were seen")
    elif empty:
        terminalreporter.section("FAILED: covers that the whole regression never saw", red=True)
        for line in empty:
            terminalreporter.line(line)
