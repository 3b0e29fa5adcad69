"""The operating system's part: processes, memory for devices, files opened for direct access."""

from .kernel import Kernel
from .process import Process

__all__ = ["Kernel", "Process"]
