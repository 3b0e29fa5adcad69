"""Get Features and Set Features (NVMe 1.4, 5.14 and 5.21): those that are mandatory for PCIe.

Nothing is saved over a reset.
"""

from .defs import Feature, Status
from .transfer import CommandError

__all__ = ["Features"]

CURRENT, DEFAULT, SAVED, SUPPORTED = range(4)
SAVE = 1 << 31
CHANGEABLE = 1 << 2
OVER, UNDER = 0, 1                      # THSEL of the temperature threshold


class Features:
    """Features of a controller.

    Parameters
    ----------
    controller : Controller
        Its number of queues and vectors bounds what may be set.
    """

    def __init__(self, controller):
        self._controller = controller
        self.reset()

    def reset(self):
        """All features have their defaults."""
        self._values = {}
        self.queues = self._controller.queues       #: I/O queue pairs that the host may create

    def _default(self, feature, part):
        if feature == Feature.TEMPERATURE_THRESHOLD:
            return (0xFFFF if part[1] == OVER else 0) | part[0] << 16 | part[1] << 20
        if feature == Feature.NUMBER_OF_QUEUES:
            return (self._controller.queues - 1) * 0x10001
        return part if feature == Feature.VECTOR_CONFIGURATION else 0

    def _part(self, feature, word):
        """What of a feature is meant: a sensor's threshold, or a vector; ``None``: all of it."""
        if feature == Feature.TEMPERATURE_THRESHOLD:
            sensor, kind = word >> 16 & 15, word >> 20 & 3
            # There is one thermometer; Set may name all of them.
            if sensor not in (0, 15) or kind not in (OVER, UNDER):
                raise CommandError(Status.INVALID_FIELD)
            return 0, kind
        if feature == Feature.VECTOR_CONFIGURATION:
            if word & 0xFFFF > self._controller.queues:
                raise CommandError(Status.INVALID_FIELD)
            return word & 0xFFFF
        return None

    @staticmethod
    def _feature(command):
        try:
            return Feature(command.cdw10 & 0xFF)
        except ValueError:
            raise CommandError(Status.INVALID_FIELD) from None

    def get(self, command):
        """DW0 of Get Features."""
        feature, select = self._feature(command), command.cdw10 >> 8 & 7
        part = self._part(feature, command.cdw11)
        if select > SUPPORTED:
            raise CommandError(Status.INVALID_FIELD)
        if select == SUPPORTED:
            return CHANGEABLE
        default = self._default(feature, part)
        return self._values.get((feature, part), default) if select == CURRENT else default

    def value(self, feature, part=None):
        """What a feature is now; ``part`` is the vector where each has one."""
        return self._values.get((feature, part), self._default(feature, part))

    def set(self, command):
        """Executes Set Features; returns DW0."""
        feature, word = self._feature(command), command.cdw11
        if command.cdw10 & SAVE:
            raise CommandError(Status.FEATURE_NOT_SAVEABLE)
        part = self._part(feature, word)
        if feature == Feature.NUMBER_OF_QUEUES:
            word = self._allocate(word)
        allowed = {Feature.POWER_MANAGEMENT: 0,             # there is one power state
                   Feature.ERROR_RECOVERY: 0xFFFF,          # no deallocated blocks to tell of
                   Feature.INTERRUPT_COALESCING: 0xFFFF,
                   Feature.VECTOR_CONFIGURATION: 0x1FFFF,
                   Feature.WRITE_ATOMICITY: 1}.get(feature, 0xFFFFFFFF)
        if word & ~allowed:
            raise CommandError(Status.INVALID_FIELD)
        self._values[feature, part] = word
        return word if feature == Feature.NUMBER_OF_QUEUES else 0

    def _allocate(self, word):
        """Queue pairs as asked for, but no more than there are. Both counts are minus one."""
        controller = self._controller
        asked = word & 0xFFFF, word >> 16
        if 0xFFFF in asked:
            raise CommandError(Status.INVALID_FIELD)
        if any(0 < qid <= controller.queues for qid in (*controller.sqs, *controller.cqs)):
            raise CommandError(Status.COMMAND_SEQUENCE_ERROR)
        submission, completion = (min(count, controller.queues - 1) for count in asked)
        self.queues = max(submission, completion) + 1
        return submission | completion << 16
