"""What the walker tells of its walks: outcomes, ends, and what the caches of the upper tables may
keep."""

from amaranth.lib import data

from ..arch.config import Config
from ..arch.formats import DEVICE_BITS
from .grants import Outcome
from .keys import ContextKey, RegionKey
from .sizes import SLOT_BITS, WAY_BITS
from .tables import ContextInfo, DeviceInfo, RegionInfo

__all__ = ["ContextFill", "DeviceFill", "RegionFill", "WalkFinished", "WalkOver"]


class WalkFinished(data.Struct):
    """The walk of ``slot`` has its outcome."""

    slot: SLOT_BITS
    outcome: Outcome


class WalkOver(data.Struct):
    """Nothing more comes for the walk of ``slot``. ``line``: it ended with a line, all of which
    came."""

    slot: SLOT_BITS
    line: 1


class DeviceFill(data.Struct):
    """A device entry to be cached."""

    key: DEVICE_BITS
    value: DeviceInfo


def ContextFill(config: Config):        # noqa: N802 - a shape
    """A PASID context to be cached."""
    return data.StructLayout({"key": ContextKey, "value": ContextInfo(config)})


def RegionFill(config: Config):         # noqa: N802 - a shape
    """A level-1 table to be kept in the walk cache, in the way that had room when it was looked
    for."""
    return data.StructLayout({"way": WAY_BITS, "key": RegionKey, "value": RegionInfo(config)})
