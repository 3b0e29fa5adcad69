"""Accesses to the guest's physical addresses, through QEMU's qtest socket: interrupt messages, and
registers of QEMU's own devices.

An interrupt descriptor needs KVM. A message signalled interrupt is a write to memory, and qtest has
a command for that, so it works without.
"""

import socket

from .protocol import ProtocolError

__all__ = ["Qtest"]

WRITE_SECONDS = 10                      #: until QEMU must have taken what was sent, and answered


class Qtest:
    """The client's end of a qtest socket.

    Parameters
    ----------
    path : str or Path
        The UNIX socket on which QEMU listens.
    """

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._rest = b""
        self._owed = 0                  # commands that QEMU has not answered
        try:
            self._socket.connect(str(path))
            self._socket.settimeout(WRITE_SECONDS)
        except BaseException:
            self._socket.close()
            raise

    def fileno(self):
        """The descriptor, to wait for replies."""
        return self._socket.fileno()

    def send(self, address, data):
        """Writes 32 bits of ``data`` at the guest physical ``address``. Does not wait for it.

        Raises
        ------
        OSError
            QEMU has ended, or takes nothing any more.
        """
        self._send(b"writel %#x %#x\n" % (address, data))

    def write(self, address, data):
        """Writes 64 bits of ``data`` at ``address``; returns when it is done, and all that was sent
        before.

        Raises
        ------
        OSError, ProtocolError
            QEMU has ended, or does not answer, or refuses.
        """
        self._ask(b"writeq %#x %#x\n" % (address, data))

    def read(self, address):
        """The 64 bits at ``address``, after all that was sent before. Raises as ``write``."""
        return int(self._ask(b"readq %#x\n" % address), 16)

    def _send(self, command):
        self._socket.sendall(command)
        self._owed += 1

    def finish(self):
        """Returns when all that was sent is done. Raises as ``write``."""
        answer = None
        while self._owed > 0:
            data = self._socket.recv(65536)
            if not data:
                raise BrokenPipeError("QEMU has closed its qtest socket")
            answer = self._take(data)
        return answer

    def _ask(self, command):
        """The answer's words behind "OK"."""
        self._send(command)
        return self.finish()

    def _take(self, data):
        """Takes what QEMU has said; returns the last answer in it."""
        answer = None
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.startswith(b"OK"):
                self._owed -= 1
                answer = line[2:].strip()
            elif not line.startswith(b"IRQ"):
                raise ProtocolError(f"QEMU's qtest answers {line.decode(errors='replace')!r}")
        return answer

    def drain(self):
        """Reads the replies that are here; returns false once QEMU has closed the socket.

        Raises
        ------
        ProtocolError
            QEMU refused a command.
        """
        self._socket.settimeout(0)
        try:
            data = self._socket.recv(65536)
        except BlockingIOError:
            return True
        except ConnectionResetError:
            data = b""
        finally:
            self._socket.settimeout(WRITE_SECONDS)
        self._take(data)
        return bool(data)

    def close(self):
        """Closes the socket."""
        self._socket.close()
