"""The driver's side of the core, and a model of its control plane for runs without RTL."""

from .command_queue import CommandQueue, CommandQueueError, FenceTimeout
from .commands import Command, fence, inval_context, inval_tlb, prefetch
from .driver import DebugAnswer, RegisterControl
from .fault_queue import FaultQueue, FaultRecord
from .model import GoldenControlPlane
from .offsets import COUNTERS, CqStatus, FqStatus, Reg
from .platform import Platform

__all__ = ["COUNTERS", "Command", "CommandQueue", "CommandQueueError", "CqStatus", "DebugAnswer",
           "FaultQueue", "FaultRecord", "FenceTimeout", "FqStatus", "GoldenControlPlane",
           "Platform", "Reg", "RegisterControl", "fence", "inval_context", "inval_tlb",
           "prefetch"]
