"""The timetable: every stage is named once, and what depends on a distance is derived from it.

An operation passes one stage a cycle; a stage's number is the cycles since the request's handshake.
What enters the core by itself (fills, steps of an invalidation) travels with the operations, and
meets each cache in the same stage. So a distance between stages says who sees what: a look-up that
compared before a tag was written is found in a later stage, never in an earlier one.

::

    0         1          2        3       4        5    6     7        8      9, 10
    handshake arbitrate  compare  select  answer   act  join  outcome  exit   park ──> retry
                         │                tags                         │
                         │                match                        └ second level, walks answer
                         └ a fill, a step of an invalidation: first level, stores

Three things happen in stage 4, each with a name of its own: the first level answers (ANSWER), its
tags change (TAGS), and the stores compare (MATCH). Each can be moved without the others, within the
bounds below.

To move a stage, change its number here, and the registers of the part that the stage belongs to:
of ANSWER, those of ``tlb/hit_path.py``. Everything else follows from the numbers, or says what
does not fit: at the import of this module, and with :func:`siommu.lib.contract.require` in
simulation and in the proofs.
"""

from enum import IntEnum

from .sizes import LINE_ROWS

__all__ = ["FILL_SPACING", "FILL_VISIBLE", "LAST_STAGE", "LINE_CYCLES", "LINE_TAGS_MEET",
           "ROW_AFTER_TAG", "DRAIN", "SLOT_UNCOUNTED", "STORE_MATCH", "Line", "Stage", "Walk"]


class Stage(IntEnum):
    """Stages of an operation, by the cycles since the request's handshake."""

    HANDSHAKE = 0
    ARBITRATE = 1       #: an operation, a fill or a step of an invalidation is chosen
    COMPARE = 2         #: first-level tags; address of the stores
    SELECT = 3          #: first-level entry; the stores' block RAM
    ANSWER = 4          #: the first level answers (``tlb/hit_path.py``)
    TAGS = 4            #: a fill's tag is written, and what it overlaps goes (``tlb/fill_path.py``)
    MATCH = 4           #: the stores compare, and the walk slots (``store/``)
    ACT = 5             #: what is not answered: the stores' hits, slots, waiting
    JOIN = 6            #: the slot that is joined; the second level's row
    OUTCOME = 7         #: outcomes of walks are read; the row's parity
    SECOND_EXIT = 8     #: the second level and the walks answer
    REST = 9            #: what is left of a request
    PARK = 10           #: is written to the replay queues


LAST_STAGE = Stage.PARK

if not Stage.COMPARE < Stage.ANSWER <= Stage.MATCH:
    raise ValueError("the first level answers behind COMPARE, and not behind MATCH: ACT is told")
if not max(Stage.COMPARE + 1, Stage.ANSWER) <= Stage.TAGS <= Stage.ACT:
    raise ValueError("the tags change behind COMPARE, not in front of ANSWER, and not behind ACT, "
                     "where misses are decided")
if Stage.ACT - Stage.MATCH != 1:
    raise ValueError("ACT takes what the stores found from the registers behind MATCH")

#: Cycles between two fills of the first level: the second one's compare must see the tag of the
#: first one.
FILL_SPACING = Stage.TAGS - Stage.COMPARE + 1

#: Stage of a fill behind which no look-up is left that compared before its tag stood there: the
#: last such look-up compared when the fill was in TAGS, and misses are decided in ACT.
FILL_VISIBLE = Stage.TAGS + (Stage.ACT - Stage.COMPARE)

#: Walk slots that are given away and not yet counted, when the last one is, at most: one in each
#: cycle from the decision whether a slot may be taken, which is known in MATCH, until the count
#: of the free ones, two cycles behind ACT, knows of it.
SLOT_UNCOUNTED = 2 * (Stage.JOIN - Stage.MATCH)


class Walk(IntEnum):
    """Cycles since a word of a table came, or the start of a walk was taken."""

    FACTS = 0           #: what the word says, beside the walk's state
    DECIDE = 1
    DECIDED = 2         #: next read, outcome, fills of the walk cache and of contexts
    PASSED = 3          #: words of a line, with what they grant, to the line buffer
    OVER = 3            #: nothing more comes for the walk


#: Cycles from a look-up in a set-associative store to its match.
STORE_MATCH = Stage.MATCH - Stage.COMPARE

#: Cycles from a tag's being written in the second level until a row of its line may be: a look-up
#: that compares in the cycle of the tag's write is the last one that may see the old tag, it reads
#: its row in ACT, and tag and row are both in memory a cycle after they were written.
ROW_AFTER_TAG = Stage.ACT - Stage.COMPARE


class Line(IntEnum):
    """Cycles since the line of an ended walk began to be gone through, from its last row to its
    first."""

    BEGIN = 0                       #: address of the last row, in the line buffer
    ROW = BEGIN + 2                 #: the last row, of ``LINE_ROWS``, one a cycle
    FOLLOWED = ROW + 1              #: whether the next page follows each one
    FIRST_ROW = FOLLOWED + 1        #: to the second level, the last row first
    RUN = FOLLOWED + LINE_ROWS      #: the run around the page that was asked for is known
    #: On offer for the first level. It could be a cycle earlier; but then it would meet, in
    #: ARBITRATE, the request that follows the answer of its walk at once.
    FILL = RUN + 2
    TAG_OFF = FIRST_ROW - ROW_AFTER_TAG     #: to the second level, of what stood in its place
    TAG_ON = FIRST_ROW + LINE_ROWS + 1      #: to the second level, behind the rows
    #: Another line may begin. One cycle for each row would be enough for the rows; but then the
    #: tag that goes off of every other line would meet one that goes on.
    PITCH = LINE_ROWS + 1


if Line.FILL > Line.TAG_ON:
    raise ValueError("a line's fill of the first level is on offer before the line is over: DRAIN "
                     "counts on it")

#: Cycles in which a line is in one of the above.
LINE_CYCLES = Line.TAG_ON + 1

#: A line may not begin so many cycles behind another one: its tag off would meet the other's tag
#: on, and the second level writes one tag a cycle.
LINE_TAGS_MEET = Line.TAG_ON - Line.TAG_OFF

#: Cycles after which all that was decided before has happened. What was decided passes each of
#: these ways once at most, one behind the other: an operation all stages; the line of a walk that
#: it ended; the fill of that line the first level. (What waits in a queue meanwhile is decided
#: about when it leaves: whether it is stale is looked at then.)
DRAIN = LAST_STAGE + Line.TAG_ON + Stage.TAGS
