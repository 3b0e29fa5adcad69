"""A request on its way through the stages."""

from amaranth.lib import data

from ..arch.formats import ADDR_BITS, DEVICE_BITS, PAGES_BITS, PASID_BITS, TAG_BITS
from .sizes import PORT_BITS, SLOT_BITS

__all__ = ["Operation"]


class Operation(data.Struct):
    """A request, or what is left of it, on its way through the core.

    ``addr`` and ``pages`` begin at the first page not yet answered. The fields before ``port``
    are what its earlier passes through the pipeline left to the next one:

    * ``silent``: a look-ahead or a prefetch, which nobody hears the answer of. It leads to a
      speculative walk, whose fault is nobody's answer;
    * ``reserved``: a walk slot is kept free for it;
    * ``claims``: it waited for the walk of ``slot``, which is kept until it has passed;
    * ``in_time``: a fault of that walk is its answer;
    * ``tries``: how often it has waited for a walk that was not its own;
    * ``distrusts``: it found a wrong parity in the second-level TLB.
    """

    silent: 1
    reserved: 1
    claims: 1
    in_time: 1
    slot: SLOT_BITS
    tries: 2
    distrusts: 1
    port: PORT_BITS
    ft: 1
    write: 1
    device: DEVICE_BITS
    pasid: PASID_BITS
    addr: ADDR_BITS
    pages: PAGES_BITS
    tag: TAG_BITS
