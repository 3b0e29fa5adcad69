"""The timetable: every stage is named once, and what depends on a distance is derived from it.

An operation passes one stage a cycle; a stage's number is the cycles since the request's handshake.
What enters the core by itself (fills, steps of an invalidation) travels with the operations, and
meets each cache in the same stage. So a distance between stages says who sees what: a look-up that
compared before a tag was written is found in a later stage, never in an earlier one.

::

    0         1          2        3       4        5    6     7        8      9, 10
    handshake arbitrate  compare  select  resolve  act  join  outcome  exit   park ──> retry
                         │                │                            │
                         │                └ first level answers        └ second level, walks answer
                         └ a fill, a step of an invalidation: first level, stores

To move a stage, change its number here and the registers of that stage; the rest follows, and
:func:`siommu.lib.contract.require` tells, in simulation and in the proofs, what does not.
"""

from enum import IntEnum

__all__ = ["FILL_SPACING", "FILL_VISIBLE", "LAST_STAGE", "SECOND_LEVEL", "SLOT_UNCOUNTED", "Line",
           "Stage", "Walk"]


class Stage(IntEnum):
    """Stages of an operation, by the cycles since the request's handshake."""

    HANDSHAKE = 0
    ARBITRATE = 1       #: an operation, a fill or a step of an invalidation is chosen
    COMPARE = 2         #: first-level tags; address of the stores
    SELECT = 3          #: first-level entry; the stores' block RAM
    RESOLVE = 4         #: the first level answers; the stores compare
    ACT = 5             #: what is not answered: the stores' hits, slots, waiting
    JOIN = 6            #: the slot that is joined; the second level's row
    OUTCOME = 7         #: outcomes of walks are read; the row's parity
    SECOND_EXIT = 8     #: the second level and the walks answer
    REST = 9            #: what is left of a request
    PARK = 10           #: is written to the replay queues


LAST_STAGE = Stage.PARK

#: Cycles between two fills of the first level: the second one's compare must see the tag of the
#: first one, which is written in RESOLVE.
FILL_SPACING = Stage.RESOLVE - Stage.COMPARE + 1

#: Stage of a fill behind which no look-up is left that compared before its tag stood there: the
#: last such look-up compared when the fill was in RESOLVE, and misses are decided in ACT.
FILL_VISIBLE = Stage.ACT + (Stage.RESOLVE - Stage.COMPARE)

#: Cycles from the second level's hit, which is known in ACT, to its outcome.
SECOND_LEVEL = Stage.OUTCOME - Stage.ACT

#: Walk slots that are given away and not yet counted, when the last one is, at most: one in each
#: cycle from the decision whether a slot may be taken, which is known in RESOLVE, until the count
#: of the free ones, two cycles behind ACT, knows of it.
SLOT_UNCOUNTED = 2 * (Stage.JOIN - Stage.RESOLVE)


class Walk(IntEnum):
    """Cycles since a word of a table came, or the start of a walk was taken."""

    FACTS = 0           #: what the word says, beside the walk's state
    DECIDE = 1
    DECIDED = 2         #: next read, outcome, fills of the walk cache and of contexts
    PASSED = 3          #: words of a line, with what they grant, to the line buffer
    OVER = 3            #: nothing more comes for the walk


class Line(IntEnum):
    """Cycles since the line of an ended walk began to be gone through, from its last row to its
    first."""

    BEGIN = 0           #: address of the last row, in the line buffer
    ROW = 2             #: the last row, of ``sizes.LINE_ROWS``, one a cycle
    NEXT = 3            #: what would follow each page
    FOLLOWED = 4        #: whether it does
    TAG_OFF = 2         #: of the second level: what stood in its place is no more
    FIRST_ROW = 5       #: to the second level; the last one three cycles later
    RUN = 8             #: the run around the page that was asked for is known
    FILL = 9            #: on offer for the first level
    TAG_ON = 10
    PITCH = 5           #: another line may begin
