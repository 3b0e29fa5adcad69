"""What the first level did not answer at once: it waits, shares walks, and is answered.

In the order of the data::

    slot_look_up            MATCH: which walk slots an operation can join
    act                     ACT: to the second exit, join, take a slot, or wait
    free_slots, slot_budget which slot is taken next, and which operation may take one
    slot, walk_slots        the life of one slot; all of them
    slot_store              what is kept by slot: owner, outcome, extent
    starts                  walks that are to begin, to the walker
    look_ahead              speculative walks of long requests and prefetches
    ended                   owners whose walk has ended
    fate, join              what becomes of an operation; from JOIN to OUTCOME
    second_exit             SECOND_EXIT: what the second level and the walks answer
    rest                    REST and PARK: what has to wait
    replay, leaving         the replay queues; from there back to the arbiter
    counts                  what the counters hear
    unit                    the wiring
"""
