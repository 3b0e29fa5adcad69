"""What a run of the tests as a whole has seen, whether one process ran it or several.

The simulations of a run are spread over processes. Each says at its end which it ran; the process
that the user started adds them up, shows the figures, and fails the run when a cover stayed empty.
"""

from pathlib import Path

from .coverage import empty_covers

__all__ = ["Outcome"]


class Outcome:
    """The simulations of a run.

    Attributes
    ----------
    simulations : list of (str, str, str or None)
        Module, configuration, folder; no folder if the simulation broke.
    whole : bool
        Whether the run had all tests of the regression.
    """

    def __init__(self):
        self.simulations = []
        self.whole = False

    def add(self, simulations, whole):
        """Adds what one process ran."""
        self.simulations += [tuple(one) for one in simulations]
        self.whole = self.whole or whole

    def _folders(self):
        return [(config, Path(folder)) for _, config, folder in sorted(
            self.simulations, key=lambda one: one[:2]) if folder]

    def figures(self):
        """Lines with the figures that the simulations have logged."""
        return [f"{config}: {line.partition('figure: ')[2]}"
                for config, folder in self._folders()
                for line in (folder / "simulation.log").read_text().splitlines()
                if ": figure: " in line]

    def never_seen(self, wanted):
        """The covers that stayed empty; None unless all simulations ran, for covers count over
        the whole regression only.

        Parameters
        ----------
        wanted : set of (str, str)
            Module and configuration of all simulations.
        """
        if not self.whole or {one[:2] for one in self.simulations} != wanted:
            return None
        return empty_covers([folder for _, folder in self._folders()])
