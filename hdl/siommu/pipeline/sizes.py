"""How wide the numbers are that travel between the stages."""

from ..arch.formats import ADDR_BITS

__all__ = ["PORT_BITS", "SLOT_BITS", "WAY_BITS", "SET_BITS", "LINE_BITS", "LINE_PAGES", "LINE_ROWS",
           "PAGE_NUMBER_BITS", "ENTRY_ADDR_BITS"]

PORT_BITS = 4           #: at most 8 device ports and the processor
SLOT_BITS = 5           #: at most 28 walk slots
WAY_BITS = 2            #: at most 4 ways
SET_BITS = 9            #: at most 512 sets of the second level
LINE_BITS = 3           #: a line is what 64 bytes of leaf entries map: 8 pages
LINE_PAGES = 1 << LINE_BITS
LINE_ROWS = LINE_PAGES // 2     #: rows of a line, of two pages each
PAGE_NUMBER_BITS = ADDR_BITS - 12
ENTRY_ADDR_BITS = 53    #: a table base below 2^52 plus an offset
