"""The vocabulary between the stages: what an operation, a key, a grant is.

From time and size to what travels, in the data's order::

    timetable, sizes        when everything happens; how wide the numbers are
    operation               a request on its way through the stages
    keys                    what translations, lines, regions and walks are found by
    paging                  what a context says of its tables, and what follows
    tables, walks           what is known of tables; what the walker tells of walks
    lines                   eight pages, on their way from memory to the TLBs
    grants                  rights, translations, outcomes
    events                  what software asks and hears, what happens to walk slots
    boundaries, outside     who drives what: inside the core; to the control plane
"""
