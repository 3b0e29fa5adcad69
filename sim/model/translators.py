"""Who answers an SSD's questions: the golden model, or nobody (no SIOMMU at all).

A translator has one method, ``async translate(access) -> list of Beat``: all beats of the
request in order of arrival. The testbench of the RTL offers the same for each of its ports.
"""

from .golden import Beat, merge_runs

__all__ = ["GoldenTranslator", "PassThrough"]


class GoldenTranslator:
    """Answers from the golden model, with the longest runs that §2.1 allows.

    Parameters
    ----------
    model : GoldenModel
    scheduler : Scheduler or None
    cycles : int
        Delay of every answer; needs ``scheduler``.
    plane : GoldenControlPlane or None
        Counts the requests and records the faults.
    port : int
        Number of this port at ``plane``.
    """

    def __init__(self, model, scheduler=None, cycles=0, plane=None, port=0):
        if cycles and scheduler is None:
            raise ValueError("a delay needs a scheduler")
        self.model = model
        self.scheduler = scheduler
        self.cycles = cycles
        self.plane = plane
        self.port = port
        self.requests = 0

    async def translate(self, access):
        """The beats of the model's answers to ``access``, after the core's cycles."""
        if self.plane is not None:
            await self.plane.admit(access, self.port)
        self.requests += 1
        if self.cycles:
            await self.scheduler.delay(self.cycles)
        answers = self.model.translate(access)
        if self.plane is not None:
            self.plane.finish(access, answers, self.port)
        return merge_runs(access, answers)


class PassThrough:
    """No SIOMMU: every address is physical already, and everything is granted at once.

    This is what the cost of the SIOMMU is measured against.
    """

    async def translate(self, access):
        """One beat that grants ``access`` where it asks."""
        return [Beat(access.tag, 1, 0, 0, access.addr, access.pages, 1, 1, 3)]
