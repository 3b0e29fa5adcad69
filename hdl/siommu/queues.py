"""Many queues in one memory: where operations wait for a walk, a slot or a credit."""

from amaranth import Module, Mux, Signal, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

__all__ = ["MultiQueue"]


class MultiQueue(wiring.Component):
    """First-in first-out queues as linked lists in one shared memory.

    One push and one pop a cycle, also of the same queue.

    Parameters
    ----------
    shape : shape
        What is queued.
    queues : int
    depth : int
        Elements in all queues together. It is for the user never to hold more.

    Members
    -------
    push : In(1), push_queue, push_data
        Appends ``push_data``. It can be popped from the next cycle on.
    pop : In(1), pop_queue
        Takes the first element, only where ``waiting`` is set.
    popped : Out(shape)
        The element popped last, from the cycle after ``pop`` until the next pop.
    waiting : Out(queues)
        The queues that are not empty.
    first, last : Out(ArrayLayout)
        Names of the first and last element of each queue: equal names, same element.
    """

    def __init__(self, shape, *, queues, depth):
        self._shape, self._queues, self._depth = shape, queues, depth
        index = bits_for(depth - 1)
        super().__init__({
            "push": In(1),
            "push_queue": In(bits_for(queues - 1)),
            "push_data": In(shape),
            "pop": In(1),
            "pop_queue": In(bits_for(queues - 1)),
            "popped": Out(shape),
            "waiting": Out(unsigned(queues)),
            "first": Out(data.ArrayLayout(unsigned(index), queues)),
            "last": Out(data.ArrayLayout(unsigned(index), queues)),
        })

    def elaborate(self, platform):
        m = Module()
        depth = self._depth
        index = unsigned(bits_for(depth - 1))
        m.submodules.elements = elements = memory.Memory(shape=self._shape, depth=depth, init=[])
        m.submodules.links = links = memory.Memory(shape=index, depth=depth, init=[])
        m.submodules.free = free = memory.Memory(shape=index, depth=depth, init=[])
        write, read = elements.write_port(), elements.read_port()
        link, follow = links.write_port(), links.read_port(domain="comb")
        release, allocate = free.write_port(), free.read_port(domain="comb")

        # Names that were never used come from a counter, released ones from a ring.
        unused = Signal(range(depth + 1))
        released_at, taken_at = Signal(range(depth)), Signal(range(depth))
        fresh, name = Signal(), Signal(index)

        def following(pointer):
            return Mux(pointer == depth - 1, 0, pointer + 1)

        m.d.comb += [
            fresh.eq(unused != depth),
            allocate.addr.eq(taken_at),
            name.eq(Mux(fresh, unused, allocate.data)),
        ]
        with m.If(self.push):
            with m.If(fresh):
                m.d.sync += unused.eq(unused + 1)
            with m.Else():
                m.d.sync += taken_at.eq(following(taken_at))
        popped = self.first[self.pop_queue]
        m.d.comb += [release.en.eq(self.pop), release.addr.eq(released_at),
                     release.data.eq(popped)]
        with m.If(self.pop):
            m.d.sync += released_at.eq(following(released_at))

        m.d.comb += [
            write.en.eq(self.push), write.addr.eq(name), write.data.eq(self.push_data),
            read.en.eq(self.pop), read.addr.eq(popped), self.popped.eq(read.data),
            # the last of an empty queue is a name that another queue may hold by now
            link.en.eq(self.push & self.waiting.bit_select(self.push_queue, 1)),
            link.addr.eq(self.last[self.push_queue]), link.data.eq(name),
            follow.addr.eq(popped),
        ]
        for queue in range(self._queues):
            pushed, taken, only = Signal(), Signal(), Signal()
            m.d.comb += [
                pushed.eq(self.push & (self.push_queue == queue)),
                taken.eq(self.pop & (self.pop_queue == queue)),
                only.eq(self.first[queue] == self.last[queue]),
            ]
            with m.If(pushed):
                m.d.sync += [self.last[queue].eq(name), self.waiting[queue].eq(1)]
            with m.Elif(taken & only):
                m.d.sync += self.waiting[queue].eq(0)
            with m.If(pushed & (~self.waiting[queue] | (taken & only))):
                m.d.sync += self.first[queue].eq(name)
            with m.Elif(taken):
                m.d.sync += self.first[queue].eq(follow.data)
        return m
