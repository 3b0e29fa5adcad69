"""The states of the command queue."""

from amaranth.lib import enum

__all__ = ["CommandState"]


class CommandState(enum.Enum, shape=4):
    """What the queue is doing."""

    IDLE = 0
    FETCHING = 1
    READING = 2
    DECIDING = 3
    INVALIDATING = 4
    OLD_WALKS = 5       #: a fence waits for them
    DRAINING = 6        #: their beats are on the way
    OLD_BEATS = 7
    STORING = 8
    STORED = 9
    PREFETCHING = 10
    RETIRING = 11
    STOPPED = 12
