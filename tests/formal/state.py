"""What a module under proof holds inside: an induction needs invariants over it, and a module need
not show it to anybody for that."""

from amaranth.hdl import Const, Fragment, Signal, Value
from amaranth.hdl._ast import SignalSet
from amaranth.hdl._mem import MemoryInstance

from siommu.generate.names import source_names

__all__ = ["State"]


class State:
    """The registers and memories of a component that is elaborated here and now.

    Attributes
    ----------
    fragment : Fragment
        What a module takes for its submodule, in place of the component.
    """

    def __init__(self, component):
        with source_names():
            self.fragment = Fragment.get(component, None)

    def _inside(self, path):
        fragment = self.fragment
        for name in path:
            fragment = fragment.find_subfragment(name)
        return fragment

    def signal(self, path):
        """The one signal of that name, behind the names of the submodules that it is in
        (``"writer.swept"``), with a point between any two."""
        *modules, name = path.split(".")
        found = SignalSet(
            signal for statements in self._inside(modules).statements.values()
            for signal in statements._lhs_signals() if signal.name == name)
        if len(found) != 1:
            raise LookupError(f"{len(found)} signals are driven as {path}")
        return next(iter(found))

    def _memory(self, path):
        memory = self._inside(path.split("."))
        if not isinstance(memory, MemoryInstance):
            raise LookupError(f"{path} is no memory")
        return memory

    def write(self, path):
        """The enable, the address and the word of the only write port of a memory."""
        port, = self._memory(path)._write_ports
        return port._en, port._addr, port._data

    def row(self, path, address):
        """What stands in a memory: it gets a read port more for that."""
        memory = self._memory(path)
        word = Signal(len(memory._write_ports[0]._data), name="row")
        bits = len(memory._write_ports[0]._addr)
        memory.read_port(domain="comb", addr=Value.cast(address)[:bits], data=word, en=Const(1),
                         transparent_for=())
        return word

    def row_now(self, m, path, address):
        """The same, as it will stand there behind a write of this cycle."""
        enable, written, word = self.write(path)
        held, now = self.row(path, address), Signal(len(word), name="row_now")
        m.d.comb += now.eq(held)
        with m.If(enable.any() & (written == address)):
            m.d.comb += now.eq(word)
        return now
