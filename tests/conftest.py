"""Spreads the tests over the processes of pytest-xdist, and closes the regression's accounts.

The hooks are here because the process that starts the others collects no tests, and so reads no
``conftest.py`` below this folder.
"""

import sys

import pytest

from .regression.outcome import Outcome, choose_seeds

#: Groups that take long, the longest first: what is long must not begin last.
LONGEST = ()

_outcome = Outcome()


def group(item):
    """The tests that one process must run: those of one simulation, or of one file, whose fixtures
    are made once."""
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    if item.name.startswith("test_regression["):
        return f"{parameters['module'].rpartition('.')[2]}-{parameters['config']}"
    return item.nodeid.partition("::")[0]


def pytest_configure(config):
    """Chooses the seeds before other processes start, and so inherit them."""
    choose_seeds()


def pytest_report_header(config):
    """Says how to replay a random world."""
    return f"seeds of the random worlds: {choose_seeds()} (SEED=n replays one)"


def pytest_collection_modifyitems(config, items):
    """Puts the tests into groups, and the longest groups first."""
    for item in items:
        name = group(item)
        item.add_marker(pytest.mark.xdist_group(name))
    if hasattr(config, "workerinput"):      # alone, the order of the files is easier to follow
        order = {name: place for place, name in enumerate(LONGEST)}
        items.sort(key=lambda item: order.get(group(item), len(order)))


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
    """The covers that stayed empty in this run."""
    if not _outcome.whole:
        return []
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
    if empty:
        terminalreporter.section("FAILED: covers that the whole regression never saw", red=True)
        for line in empty:
            terminalreporter.line(line)
