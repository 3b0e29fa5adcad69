"""For covers: which stages walks are in, by name (§6: an invalidation may meet each of them)."""

from amaranth import Cat, Mux, Signal

from ..lib.cover import PREFIX
from ..pipeline.paging import LEVELS
from .state import Table

__all__ = ["reads_of_walks"]


def reads_of_walks(m, asked, reading):
    """Which reads are under way, of any walk: a dictionary, word to value.

    The registers that it takes to know are there only where this is called.

    Parameters
    ----------
    m : Module
    asked : Event(NextRead)
        A walk asks for a read.
    reading : Value
        A bit for each slot that has a read under way.
    """
    tables = {f"reads_{table.name.lower()}": asked.payload.state.table == table
              for table in Table if table is not Table.PAGE_TABLE}
    tables |= {f"reads_level_{level}": (asked.payload.state.table == Table.PAGE_TABLE)
               & (asked.payload.state.level == level) for level in range(LEVELS, 0, -1)}
    tables["reads_line"] = asked.payload.state.line
    states = [Signal(len(tables), name=f"{PREFIX}__read_of_{slot}", reset_less=True)
              for slot in range(len(reading))]
    for slot, state in enumerate(states):
        m.d.sync += state.eq(Mux(asked.valid & (asked.payload.slot == slot),
                                 Cat(tables.values()), state))
    return {name: Cat(state[index] for state in states) & reading != 0
            for index, name in enumerate(tables)}
