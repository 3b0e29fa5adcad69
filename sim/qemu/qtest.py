"""Interrupt messages into the guest, through QEMU's qtest socket.

An interrupt descriptor needs KVM. A message signalled interrupt is a write to memory, and qtest has
a command for that, so it works without.
"""

import socket

from .protocol import ProtocolError

__all__ = ["Qtest"]

WRITE_SECONDS = 10                      #: until QEMU must have taken what was sent


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
        self._socket.sendall(b"writel %#x %#x\n" % (address, data))

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
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if not line.startswith((b"OK", b"IRQ")):
                raise ProtocolError(f"QEMU's qtest answers {line.decode(errors='replace')!r}")
        return bool(data)

    def close(self):
        """Closes the socket."""
        self._socket.close()
