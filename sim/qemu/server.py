"""The event loop: QEMU's messages, the SSD's tasks and the core's clock in one thread."""

import select
import selectors

from . import protocol

__all__ = ["Server"]

MESSAGES = 64                           #: of one function in a row, so that none starves the other
IDLE_SECONDS = .2                       #: between two looks whether to stop


class Server:
    """Serves PCI functions until QEMU ends.

    Parameters
    ----------
    functions : dict
        A connected socket to its ``Function``.
    siommu : SiommuFunction
        The one of them whose lines are looked at after clocking.
    memory : GuestMemory
    qtest : Qtest
    pace : Untimed
        Or another one of ``pace``: moves the SSD and the core.
    """

    def __init__(self, functions, siommu, memory, qtest, pace):
        self._functions = functions
        self._siommu = siommu
        self._memory = memory
        self._qtest = qtest
        self._pace = pace
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
                busy = self._pace.step()
                self._siommu.look()
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
                value = function.access(message.address, message.size, message.value)
                self._pace.before_reply(message.value is not None)
                protocol.reply(connection, value)
            elif isinstance(message, protocol.Reset):
                function.reset()
                protocol.reply(connection)
            if not select.select([connection], [], [], 0)[0]:
                return
