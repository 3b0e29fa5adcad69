"""An emulated NVMe SSD with a controller's usual face, and the host's driver for it."""

from .controller import Controller
from .driver import AdminError, Driver, QueuePair
from .media import Latency, Media, Namespace

__all__ = ["AdminError", "Controller", "Driver", "Latency", "Media", "Namespace", "QueuePair"]
