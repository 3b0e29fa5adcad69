"""From a miss to the tables in memory, and what is kept of them.

In the order of the data::

    context_cache, walk_cache       what is known of the upper tables when a walk starts
    start_gate, start               a start is taken, and decided
    read_port, read_tracker         reads to memory, and the beats that come back
    records, state                  what is kept of each walk; the structs of a decision
    word_stage, decode, directory   a word: which one, and what it says (first cycle)
    entry, entry_x86                the same of a page-table entry: the only place with its bits
    decision, step                  what follows from it (second cycle)
    upper_fills, neighbours, leaf   what the caches and the line buffer get
    walk_ends                       when nothing more comes for a walk
    walker                          the wiring
"""
