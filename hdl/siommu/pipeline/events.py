"""What software asks of the core, what it hears of it, and what happens to walk slots."""

from amaranth import Cat
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..arch.formats import ADDR_BITS, DEVICE_BITS, PASID_BITS, TAG_BITS
from .sizes import ENTRY_ADDR_BITS, PAGE_NUMBER_BITS, PORT_BITS, SLOT_BITS

__all__ = ["BeatMark", "FaultInfo", "Invalidation", "InvalidationControl", "Prefetch", "Revoked",
           "SlotEnd", "SlotEvent"]


class Prefetch(data.Struct):
    """What is to be prefetched (§6): 2^``n`` pages from the aligned ``page`` on, n ≤ 8."""

    ft: 1
    device: DEVICE_BITS
    pasid: PASID_BITS
    page: PAGE_NUMBER_BITS
    n: 4


class Invalidation(data.Struct):
    """What is to be dropped (§6): all that agrees in the selected fields. ``context``: contexts
    as well. ``page``: the first of 2^``n`` pages."""

    context: 1
    by_device: 1
    by_pasid: 1
    by_ft: 1
    by_addr: 1
    ft: 1
    device: DEVICE_BITS
    pasid: PASID_BITS
    page: PAGE_NUMBER_BITS
    n: 6


class Revoked(data.Struct):
    """What begins in a cycle, of what makes walks stale: a flush; an INVAL_TLB, by what it selects,
    or of everything; an INVAL_CONTEXT. Covers alone need to know."""

    flush: 1
    everything: 1
    by_device: 1
    by_pasid: 1
    by_ft: 1
    by_addr: 1
    context: 1

    @staticmethod
    def of(flush, begins, asked):
        """The fields as a dictionary: ``asked``, an :class:`Invalidation`, ``begins``."""
        selectors = ("by_device", "by_pasid", "by_ft", "by_addr")
        of_tlb, some = begins & ~asked.context, Cat(asked[name] for name in selectors).any()
        return {"flush": flush, "everything": of_tlb & ~some, "context": begins & asked.context,
                **{name: of_tlb & asked[name] for name in selectors}}


class FaultInfo(data.Struct):
    """A fault on its way to its record (§5.1). ``quiet``: it leaves none."""

    cause: 4
    disposition: 2
    write: 1
    ft: 1
    level: 3
    device: DEVICE_BITS
    pasid: PASID_BITS
    tag: TAG_BITS
    port: PORT_BITS
    addr: ADDR_BITS
    entry: ENTRY_ADDR_BITS
    quiet: 1


class SlotEvent(data.Struct):
    """Something happens to ``slot``."""

    valid: 1
    slot: SLOT_BITS


class SlotEnd(data.Struct):
    """The walk of ``slot`` has its outcome: ``granted``, ``from_line`` if that is of a leaf of
    4 KiB; ``served`` if the slot's owner has it, too."""

    valid: 1
    slot: SLOT_BITS
    granted: 1
    from_line: 1
    served: 1


class InvalidationControl(wiring.Signature):
    """How the command queue has something dropped from the caches.

    Members
    -------
    start : Out(1), request : Out(Invalidation)
        Begins an invalidation; ``request`` stays until it is ``done``.
    done : In(1)
        For one cycle.
    outdated : In(1)
        Walks are in flight, or being answered, that began before the last invalidation.
    """

    def __init__(self):
        super().__init__({"start": Out(1), "request": Out(Invalidation), "done": In(1),
                          "outdated": In(1)})


class BeatMark(wiring.Signature):
    """Finds out when the response beats of now have left (a fence waits for that).

    Members
    -------
    set : Out(1)
        Marks the beats that are held, or come in this cycle.
    remains : In(1)
        Marked ones are still here: from the second cycle behind the mark on, until the second one
        after the last of them has left.
    """

    def __init__(self):
        super().__init__({"set": Out(1), "remains": In(1)})
