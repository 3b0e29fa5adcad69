"""A request on its way through the stages."""

from amaranth.lib import data

from ..arch.formats import ADDR_BITS, DEVICE_BITS, PAGES_BITS, PASID_BITS, TAG_BITS
from .sizes import PORT_BITS, SLOT_BITS

__all__ = ["JOINS_NOTHING", "LookedUp", "Operation"]

#: ``tries`` of an operation that gets a walk of its own.
JOINS_NOTHING = 3


class Operation(data.Struct):
    """A request, or what is left of it, on its way through the core.

    ``addr`` and ``pages`` begin at the first page not yet answered. The fields before ``port``
    are what its earlier passes through the pipeline left to the next one:

    * ``speculative``: a look-ahead or a prefetch, whose answer has no receiver. Its walk may end
      in a fault that is no answer for others either;
    * ``reserved``: a walk slot is kept free for it;
    * ``claims``: it waited for the walk of ``slot``, which is kept until it has passed;
    * ``in_time``: a fault of that walk is its answer;
    * ``tries``: how often it has waited for a walk that was not its own;
    * ``skip_second_level``: it found a wrong parity there.
    """

    speculative: 1
    reserved: 1
    claims: 1
    in_time: 1
    slot: SLOT_BITS
    tries: 2
    skip_second_level: 1
    port: PORT_BITS
    ft: 1
    write: 1
    device: DEVICE_BITS
    pasid: PASID_BITS
    addr: ADDR_BITS
    pages: PAGES_BITS
    tag: TAG_BITS

    def has_waited(self):
        """Whether it passed before and waited for a walk since."""
        return self.claims | self.reserved | self.tries.any() | self.skip_second_level


class LookedUp(data.Struct):
    """What the stages up to MATCH found out about an operation: ``answered`` by the first level
    (or because it needs no table), of which ``more`` pages are left behind a run of ``run`` + 1."""

    valid: 1
    answered: 1
    more: 1
    run: PAGES_BITS
    operation: Operation
