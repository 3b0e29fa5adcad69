"""Which bursts AXI4 allows (IHI 0022, A3.4.1). The others are refused and never asked for.

A burst is translated as one page. So the bridge must not believe that a device keeps the rules: an
INCR burst over a page's end would go on in whatever physical page comes next.
"""

from amaranth import C, Cat, Mux

from ..arch.formats import PAGE_BYTES, PAGE_SHIFT
from ..bus.axi import Burst

__all__ = ["is_legal"]

_SIZES = 7              #: 2^0 to 2^6 bytes a beat: 512 bits are the widest bus
_SHORT = 16             #: beats of a FIXED or a WRAP burst, at most


def is_legal(address, data_width):
    """Whether the burst ``address`` (:func:`.channels.Address`) is one of AXI4 on a bus of
    ``data_width`` bits, and so stays in its page.

    Refused are: beats wider than the bus, the reserved AxBURST, INCR over the end of 4 KiB, FIXED
    of more than 16 beats, and WRAP of other than 2, 4, 8 or 16 beats, or not aligned to a beat.
    """
    offset, length, size = address.addr[:PAGE_SHIFT], address.len, address.size
    fits = size <= (data_width // 8).bit_length() - 1
    # Beats are counted in units of one beat: the first one is number ``offset >> size``.
    last = (offset >> size) + length
    within, aligned = C(0, 1), C(0, 1)
    for step in range(_SIZES):
        chosen = size == step
        within = within | (chosen & (last < PAGE_BYTES >> step))
        aligned = aligned | (chosen & ~offset[:step].any() if step else chosen)
    short = length < _SHORT
    whole = Cat(length == beats - 1 for beats in (2, 4, 8, 16)).any()
    rule = Mux(address.burst == Burst.INCR.value, within,
               Mux(address.burst == Burst.WRAP.value, whole & aligned,
                   (address.burst == Burst.FIXED.value) & short))
    return fits & rule
