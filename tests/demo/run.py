"""Runs the demo in the simulator."""

from ..regression import simulator

__all__ = ["DemoError", "run"]


class DemoError(AssertionError):
    """The demo ran, and something that must hold did not."""


def run():
    """Runs the demo on the default configuration; returns its output.

    Raises
    ------
    DemoError, SimulationError
    """
    results, folder = simulator.run("tests.demo.rtl", ["demo"])
    if results["demo"] is not None:
        raise DemoError(f"{results['demo']}; the log is {folder / 'simulation.log'}")
    return (folder / "demo.txt").read_text()
