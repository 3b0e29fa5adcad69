"""The fault queue (§5.1): every fault that was answered becomes a record in a ring in memory.

::

    core ──> FIFO ──> decide: quiet, limited, full? ──> write burst ──> response ──> FQ_TAIL
                         └──> recorded: the port may be told of its fault

The FIFO has a place for every request that the ports may have outstanding, and a port is told of
a fault only when its record was decided about. So no fault is lost here, however slow the memory
is, and a port with many faults waits for its own records only.

Records are written one behind the other without waiting for responses; FQ_TAIL follows the
responses.
"""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..arch.config import Config
from ..arch.formats import PFN_BITS, RECORD_BYTES, FaultWord0
from ..bus.axi import WriteAddress, WriteData
from ..bus.share import RECORDS_ID
from ..lib.payload import Payload
from ..pipeline.events import FaultInfo
from .rings import INDEX_BITS, following, ring_mask

__all__ = ["FaultQueue"]

IN_FLIGHT = 7       #: records that are written and not acknowledged, at most


class FaultQueue(wiring.Component):
    """Records faults.

    Parameters
    ----------
    config : Config

    Members
    -------
    enable, base, log2, head, quota, failed : In
        FQ_CTRL.ENABLE, FQ_BASE, FQ_LOG2, FQ_HEAD, FQ_QUOTA; FQ_ERROR is set.
    head_written : In(1)
        FQ_HEAD has changed, and every port may add ``quota`` records again, as it may when the
        queue is turned on. A decision of this very cycle still goes by what was before.
    tail : Out
        FQ_TAIL.
    overflow, error, record, limited : Out(1)
        For one cycle: sets the bit of FQ_STATUS.
    lost : Out(2)
        For the counters: records that were dropped.
    cycles : In(64)
        The counter of this name.
    fault : In(stream.Signature(FaultInfo)), recorded : Out(ports)
        To and from the core. A record is decided about at least three cycles after its fault.
    aw, w, b : the write channels; a payload of 1 on ``b``: it failed
    """

    def __init__(self, config: Config):
        self._config = config
        ids, width = config.axi_id_width, config.axi_data_width
        super().__init__({
            "enable": In(1),
            "base": In(PFN_BITS),
            "log2": In(5),
            "head": In(INDEX_BITS),
            "quota": In(16),
            "failed": In(1),
            "head_written": In(1),
            "tail": Out(INDEX_BITS),
            "overflow": Out(1),
            "error": Out(1),
            "record": Out(1),
            "limited": Out(1),
            "lost": Out(2),
            "cycles": In(64),
            "fault": In(stream.Signature(FaultInfo, always_ready=True)),
            "recorded": Out(config.ports),
            "aw": Out(stream.Signature(WriteAddress(ids))),
            "w": Out(stream.Signature(WriteData(width))),
            "b": In(stream.Signature(1, always_ready=True)),
        })

    def elaborate(self, platform):
        m = Module()
        config = self._config
        fault, ready, take = Signal(FaultInfo, name="oldest"), Signal(), Signal()
        self._wait(m, fault, ready, take)

        # Which ring: it changes when nothing is on the way to the old one, even if the queue was
        # off for a moment only.
        was_off, wanted, stale = Signal(), Signal(), Signal()
        on, next_ = Signal(name="on"), Signal(INDEX_BITS, name="next")
        in_flight = Signal(range(IN_FLIGHT + 1), name="in_flight")
        writing, last = Signal(name="writing"), Signal(name="last")
        tail, behind = Signal(INDEX_BITS), Signal(INDEX_BITS)
        mask = Payload(INDEX_BITS, name="mask")     # it changes while the queue is off
        m.d.sync += [mask.eq(ring_mask(self.log2)), behind.eq(following(next_, mask))]
        m.d.comb += [
            wanted.eq(self.enable & ~was_off), stale.eq(self.enable & was_off),
            self.tail.eq(Mux((self.enable & ~on) | stale, 0, tail)),
        ]
        idle, decides = Signal(), Signal()
        m.d.comb += idle.eq(~writing & ~in_flight.any())
        with m.If(idle & ~decides):
            m.d.sync += [on.eq(wanted), was_off.eq(0)]
        with m.Elif(on & ~self.enable):
            m.d.sync += was_off.eq(1)

        # After a failed write all that come are lost, until software has seen it.
        broken, seen = Signal(name="broken"), Signal(name="seen")
        with m.If(broken & self.failed):
            m.d.sync += seen.eq(1)
        mends, starts = Signal(), Signal()
        m.d.comb += [mends.eq(broken & seen & ~self.failed & idle),
                     starts.eq(~on & self.enable & idle)]
        with m.If(mends):
            m.d.sync += [broken.eq(0), seen.eq(0), next_.eq(tail)]

        # How many records each port has added, up to 2^16, since software moved the head or turned
        # the queue on.
        spent, adds, ports = Signal(), Signal(), Signal(config.ports)
        renewed = Signal()
        m.d.sync += renewed.eq(self.head_written | starts)
        added, used = Signal(17), 0
        for port in range(config.ports):
            mine = Signal(len(added), name=f"used_{port}")
            m.d.comb += ports[port].eq((fault.port == port) if config.ports > 1 else 1)
            with m.If(adds & ports[port] & ~mine[-1]):
                m.d.sync += mine.eq(mine + 1)
            with m.If(renewed):
                m.d.sync += mine.eq(0)
            used = used | (mine & ports[port].replicate(len(mine)))
        m.d.sync += [added.eq(used), spent.eq((added >= self.quota) & self.quota.any())]

        # One record is decided about: its neighbours' changes have settled, and so has what was
        # compared. What it waits for is looked at one cycle ahead.
        silent, full, refused = (Signal() for _ in range(3))
        lost_here, lost_there = Signal(), Signal()
        rested, unsettled = Signal(), Signal()
        m.d.comb += [
            silent.eq(fault.quiet | ~on),
            refused.eq(broken | spent | full),
            adds.eq(decides & ~silent & ~refused),
            lost_here.eq(decides & ~silent & refused),
        ]
        m.d.sync += [take.eq((decides & ~adds) | last), full.eq(behind == self.head)]
        m.d.comb += unsettled.eq(writing | take | self.head_written | renewed | ~ready
                                 | mends | starts)
        m.d.sync += [
            rested.eq(~unsettled & ~decides),
            decides.eq(~unsettled & ~decides & rested & (in_flight != IN_FLIGHT)
                       & (on == wanted)),
            self.recorded.eq(ports & decides.replicate(config.ports)),
            self.limited.eq(decides & ~silent & ~broken & spent),
            self.overflow.eq(decides & ~silent & ~broken & ~spent & full),
            self.lost.eq(lost_here + lost_there),
        ]
        stamp = Payload(64)
        with m.If(~writing):        # that of the cycle of the decision stays
            m.d.sync += stamp.eq(self.cycles)
        with m.If(adds):
            m.d.sync += [writing.eq(1), next_.eq(behind)]
        self._write(m, fault, stamp, writing, last, next_, adds)

        # Responses, in the order of the records.
        acknowledged, was = self.b.valid, Signal()
        m.d.sync += [
            was.eq(acknowledged), in_flight.eq(in_flight + last - was),
            self.record.eq(0), self.error.eq(0),
        ]
        moves = Signal()
        m.d.comb += moves.eq(acknowledged & on & ~broken & ~self.b.payload)
        with m.If(acknowledged & on):
            with m.If(self.b.payload & ~broken):
                m.d.sync += [broken.eq(1), self.error.eq(~stale)]
            m.d.comb += lost_there.eq(self.b.payload | broken)
        with m.If(moves):
            m.d.sync += [tail.eq(following(tail, mask)), self.record.eq(~stale)]
        with m.If(starts):
            m.d.sync += [tail.eq(0), next_.eq(0), broken.eq(0), seen.eq(0)]
        return m

    def _wait(self, m, fault, ready, take):
        """The FIFO. One more than the ports' requests have room: one that is being recorded, which
        stays at the head. What decides about it stands in registers behind the memory."""
        depth = 1 << (self._config.ports * self._config.port_depth).bit_length()
        m.submodules.waiting = waiting = memory.Memory(
            shape=FaultInfo, depth=depth, init=[], attrs={"no_rw_check": 1})
        write, read = waiting.write_port(), waiting.read_port(domain="comb")
        oldest = Payload(FaultInfo)         # merged with a block RAM's port, see ``SetStore``
        came, left = Signal(range(depth)), Signal(range(depth))
        known, quiet, port = Signal(), Payload(), Payload(len(fault.port))
        m.d.comb += [
            write.en.eq(self.fault.valid), write.addr.eq(came), write.data.eq(self.fault.payload),
            read.addr.eq(left), fault.eq(oldest), fault.quiet.eq(quiet), fault.port.eq(port),
        ]
        m.d.sync += [came.eq(came + self.fault.valid), left.eq(left + take),
                     known.eq((came != left) & ~take), ready.eq(known & ~take),
                     oldest.eq(read.data), quiet.eq(oldest.quiet), port.eq(oldest.port)]

    def _write(self, m, fault, stamp, writing, last, next_, adds):
        """The record on the bus: one burst."""
        config = self._config
        size = min(config.axi_bytes, RECORD_BYTES)
        beats = RECORD_BYTES // size
        first = Signal(FaultWord0)
        m.d.comb += [first[name].eq(fault[name]) for name in (
            "cause", "disposition", "write", "ft", "level", "device", "pasid", "tag", "port")]
        words = Cat(first.as_value(), fault.addr, fault.entry, Const(0, 64 - len(fault.entry)),
                    stamp)
        # One bit for the beat on offer. Of the others' data there is a copy that is 0.
        turns, then, address = Signal(beats), Signal(beats), Payload(64)
        begins, addressing, more, content = Signal(), Signal(), Signal(), 0
        m.d.sync += begins.eq(adds)     # address and data are on offer from the next cycle on
        with m.If(~writing):
            m.d.sync += address.eq(Cat(Const(0, 5), next_[:7], self.base + next_[7:]))
        with m.If(begins):
            m.d.comb += then.eq(1)
        with m.Elif(self.w.ready):
            m.d.comb += then.eq(turns << 1)
        with m.Else():
            m.d.comb += then.eq(turns)
        m.d.sync += turns.eq(then)
        for beat in range(beats):
            copy = words[8 * size * beat:8 * size * (beat + 1)]
            if beats > 1:
                original, copy = copy, Payload(8 * size, name=f"copy_{beat}")
                m.d.sync += copy.eq(original)
                with m.If(~then[beat]):
                    m.d.sync += copy.eq(0)
            content = content | copy
        m.d.comb += [
            self.aw.valid.eq(addressing),
            self.aw.payload.id.eq(RECORDS_ID), self.aw.payload.addr.eq(address),
            self.aw.payload.len.eq(beats - 1), self.aw.payload.size.eq(exact_log2(size)),
            self.w.valid.eq(turns.any()), self.w.payload.last.eq(turns[-1]),
            more.eq(turns[:-1].any() | (turns[-1] & ~self.w.ready)),
            last.eq(writing & ~begins & (~addressing | self.aw.ready) & ~more),
        ]
        if config.axi_bytes > RECORD_BYTES:     # either half of a beat
            half = address[5]
            m.d.comb += [
                self.w.payload.data.eq(content.replicate(2)),
                self.w.payload.strb.eq(Cat((~half).replicate(RECORD_BYTES),
                                           half.replicate(RECORD_BYTES))),
            ]
        else:
            m.d.comb += [self.w.payload.data.eq(content), self.w.payload.strb.eq(-1)]
        m.d.sync += addressing.eq(begins | (addressing & ~self.aw.ready))
        with m.If(last):
            m.d.sync += writing.eq(0)
