"""Shows the regression's figures at the end of the test run."""

from . import test_regression


def pytest_terminal_summary(terminalreporter):
    lines = test_regression.figures()
    if lines:
        terminalreporter.section("figures of the core, in clock cycles")
        for line in lines:
            terminalreporter.line(line)
