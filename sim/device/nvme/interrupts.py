"""When a completion becomes an interrupt (NVMe 1.4, 5.21.1.8 and 5.21.1.9, 7.5)."""

from .defs import Feature

__all__ = ["Interrupts"]

UNIT_CYCLES = 20_000                    #: the unit of the aggregation time, 100 µs at 200 MHz
THRESHOLD, TIME_SHIFT = 0xFF, 8
COALESCING_DISABLED = 1 << 16


class Interrupts:
    """Holds interrupts back as the features Interrupt Coalescing and Interrupt Vector Configuration
    ask: until more than the threshold of completions (it is one less than the number) wait at a
    vector, or the aggregation time is over since the first of them. A time of 0 holds nothing back.
    The admin queue's vector never waits.

    Parameters
    ----------
    scheduler : Scheduler
    features : Features
    """

    def __init__(self, scheduler, features):
        self._scheduler = scheduler
        self._features = features
        self._waiting = {}              # vector -> completions since its last interrupt
        self._turn = 0                  # the latest timer's
        self._timers = {}               # vector -> turn of the timer that counts for it

    def reset(self):
        """Nothing is held back any more, and what was is not sent."""
        self._waiting.clear()
        self._timers.clear()

    def posted(self, vector, send):
        """A completion was posted to a queue with ``vector``; ``send(vector)`` interrupts."""
        asked = self._features.value(Feature.INTERRUPT_COALESCING)
        time = (asked >> TIME_SHIFT) * UNIT_CYCLES
        waiting = self._waiting[vector] = self._waiting.get(vector, 0) + 1
        if not vector or not time or waiting > asked & THRESHOLD or \
                self._features.value(Feature.VECTOR_CONFIGURATION, vector) & COALESCING_DISABLED:
            self._send(vector, send)
        elif waiting == 1:
            self._turn += 1
            self._timers[vector] = self._turn
            self._scheduler.start(self._later(vector, send, time, self._turn))

    async def _later(self, vector, send, time, turn):
        await self._scheduler.delay(time)
        if self._timers.get(vector) == turn:
            self._send(vector, send)

    def _send(self, vector, send):
        self._waiting[vector] = 0
        self._timers.pop(vector, None)
        send(vector)
