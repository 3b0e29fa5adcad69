"""The event loop: QEMU's messages, the SSD's tasks and the core's clock in one thread."""

import select
import selectors

from . import protocol

__all__ = ["Server"]

CHUNK = 256                             #: cycles between two looks at the sockets
MESSAGES = 64                           #: of one function in a row, so that none starves the other
IDLE_SECONDS = .2                       #: between two looks whether to stop


class Server:
    """Serves PCI functions until QEMU ends.

    Two kinds of time. Untimed, the core is clocked only while something is under way in it, and the
    SSD's delays pass at once when the core is idle: the fastest run. Timed, the core is clocked
    through every delay of the SSD, cycle by cycle, so that its counters tell of the SSD's latency.
    Either way the SSD's clock stands while nothing waits for it.

    Parameters
    ----------
    functions : dict
        A connected socket to its ``Function``.
    siommu : SiommuFunction
        The one of them whose lines are looked at after clocking.
    core : LiveCore
    memory : GuestMemory
    qtest : Qtest
    scheduler : Scheduler
    timed : bool
    """

    def __init__(self, functions, siommu, core, memory, qtest, scheduler, timed=False):
        self._functions = functions
        self._siommu = siommu
        self._core = core
        self._memory = memory
        self._qtest = qtest
        self._scheduler = scheduler
        self._timed = timed
        self._selector = selectors.DefaultSelector()
        for connection in functions:
            self._selector.register(connection, selectors.EVENT_READ)
        self._selector.register(qtest, selectors.EVENT_READ)

    def run(self, stop=lambda: False):
        """Serves until QEMU closes a socket, or ``stop()``, asked again and again, is true.

        Raises
        ------
        ProtocolError, Difference, CoreError
            The run must not go on.
        """
        try:
            while not stop():
                busy = self._advance()
                for key, _ in self._selector.select(0 if busy else IDLE_SECONDS):
                    if key.fileobj is self._qtest:
                        if not self._qtest.drain():
                            return
                    else:
                        self._serve(key.fileobj)
        except (protocol.Disconnected, BrokenPipeError, ConnectionResetError):
            return
        finally:
            self._selector.close()

    def _advance(self):
        """Runs tasks and clock for a moment; returns whether more is to be done."""
        scheduler = self._scheduler
        scheduler.run_ready()
        due = scheduler.next_due
        if self._timed and due is not None:
            cycles = max(1, min(due - scheduler.now, CHUNK))
            self._core.clock(cycles)
        else:
            cycles = self._core.run(CHUNK)
        if cycles:
            scheduler.advance(scheduler.now + cycles)
        elif due is not None:
            scheduler.advance(due)
        scheduler.run_ready()
        self._siommu.look()
        return bool(cycles) or due is not None

    def _serve(self, connection):
        function = self._functions[connection]
        for _ in range(MESSAGES):
            message = protocol.receive(connection)
            if isinstance(message, protocol.MemoryMap):
                self._memory.update(message.sections)
            elif isinstance(message, protocol.ConfigAccess):
                if message.value is None:
                    protocol.reply(connection, function.config_read(message.offset, message.size))
                else:
                    function.config_write(message.offset, message.value, message.size)
                    protocol.reply(connection)
            elif isinstance(message, protocol.BarAccess):
                protocol.reply(connection,
                               function.access(message.address, message.size, message.value))
            elif isinstance(message, protocol.Reset):
                function.reset()
                protocol.reply(connection)
            if not select.select([connection], [], [], 0)[0]:
                return
