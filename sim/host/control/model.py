"""A model of the control plane (§5.1, §6, §7), for runs without RTL.

The driver cannot tell it from a core: it has the same registers, executes commands from the ring
in memory, writes fault records, and raises interrupts. It is written from the specification, and
shares with the driver the names of registers, and nothing else.
"""

from siommu.arch.formats import Mode

from ...memory import BusError
from ...model.golden import Access, expected_record
from .offsets import COUNTER_BASE, COUNTERS, CqStatus, FqStatus, Reg
from .platform import Platform

__all__ = ["GoldenControlPlane", "OKAY", "SLVERR"]

OKAY, SLVERR = 0, 2
PAGE = 4096

#: Writable bits of the registers that are nothing but bits.
PLAIN = {
    Reg.CTRL: 0x7, Reg.CQ_CTRL: 0x1, Reg.FQ_CTRL: 0x1, Reg.IRQ_ENABLE: 0x1F7,
    Reg.FQ_QUOTA: 0xFFFF, Reg.DBG_ADDR_LOW: 0xFFFFFFFF, Reg.DBG_ADDR_HIGH: 0xFFFFFFFF,
    Reg.DBG_SOURCE: 0xFFFF, Reg.DBG_PASID: 0xFFFFF,
}
#: Registers that may be written only while their user is off: (user, mask).
LOCKED = {
    Reg.DDT_BASE_LOW: ("DDT", 0xFFFFF000), Reg.DDT_BASE_HIGH: ("DDT", 0xFFFFF),
    Reg.DDT_LOG2: ("DDT", 0x1F),
    Reg.CQ_BASE_LOW: ("CQ", 0xFFFFF000), Reg.CQ_BASE_HIGH: ("CQ", 0xFFFFF),
    Reg.CQ_LOG2: ("CQ", 0x1F),
    Reg.FQ_BASE_LOW: ("FQ", 0xFFFFF000), Reg.FQ_BASE_HIGH: ("FQ", 0xFFFFF),
    Reg.FQ_LOG2: ("FQ", 0x1F),
}
LOG2_RANGE = {Reg.DDT_LOG2: (0, 16), Reg.CQ_LOG2: (1, 15), Reg.FQ_LOG2: (1, 15)}
COUNTER_END = COUNTER_BASE + 8 * len(COUNTERS)


class GoldenControlPlane:
    """Registers, queues, counters and interrupts around a golden model.

    The model caches nothing, so INVALs have nothing to drop and PREFETCH nothing to fill: they
    are checked and counted. Counters of a cache are those of a core whose caches never hit. There
    is no bus: a record and a store are in memory at once.

    Parameters
    ----------
    scheduler : Scheduler
    memory : Memory
    model : GoldenModel
        Follows CTRL and the DDT registers.
    ports : int
        Request ports, devices first.
    command_cycles : int
        Cycles that a command takes.
    invalidated : callable or None
        Called with (word 0, word 1) of each INVAL, and with ``None`` when all caches are emptied:
        for models of cores that cache.
    """

    def __init__(self, scheduler, memory, model, *, ports=3, command_cycles=2, invalidated=None):
        self.memory = memory
        self.model = model
        self.ports = ports
        self.command_cycles = command_cycles
        self._scheduler = scheduler
        self._invalidated = invalidated or (lambda command: None)
        self._regs = dict.fromkeys((*PLAIN, *LOCKED), 0)
        self._enabled = (1 << ports) - 1
        self._in_flight = [0] * ports
        self._port_change = scheduler.event()
        self._cq_head = self._cq_tail = self._fq_head = self._fq_tail = 0
        self._cq_status = self._fq_status = 0
        self._used = [0] * ports        # records since FQ_HEAD was written
        self._executing = False
        self._round = 0                 # counts how often the command queue was enabled
        self._result = self._phys = self._dbg_ctrl = 0
        self._counts = dict.fromkeys(COUNTERS, 0)
        self._since = scheduler.now     # from when on the cycles are not in _counts yet
        self._frozen = False
        self._latch = 0
        self._lines = {line: scheduler.event() for line in ("command", "fault", "counter")}

    # -- the register file ---------------------------------------------------------------------

    def read(self, offset):
        """(value, response) of the register at ``offset``."""
        if COUNTER_BASE <= offset < COUNTER_END and offset % 4 == 0:
            if offset % 8:
                return self._latch, OKAY
            value = self._count_now(COUNTERS[(offset - COUNTER_BASE) // 8])
            self._latch = value >> 32
            return value & 0xFFFFFFFF, OKAY
        if offset in self._regs:
            return self._regs[offset], OKAY
        special = {
            Reg.ID: lambda: 0x53494F4D,
            Reg.VERSION: lambda: 1 << 16 | 1,
            Reg.CAPS0: lambda: self.ports - 1 | 1 << 4 | 1 << 5
            | self.model.riscv_tables << 6,
            Reg.CAPS1: lambda: 0,
            Reg.STATUS: lambda: (bool(any(self._in_flight)) * 0b11 | self._busy << 2),
            Reg.CQ_HEAD: lambda: self._cq_head,
            Reg.CQ_TAIL: lambda: self._cq_tail,
            Reg.CQ_STATUS: lambda: self._cq_status,
            Reg.FQ_HEAD: lambda: self._fq_head,
            Reg.FQ_TAIL: lambda: self._fq_tail,
            Reg.FQ_STATUS: lambda: self._fq_status,
            Reg.PORT_ENABLE: lambda: self._enabled,
            Reg.PORT_STATUS: lambda: sum(bool(count) << port
                                         for port, count in enumerate(self._in_flight)),
            Reg.DBG_CTRL: lambda: self._dbg_ctrl,
            Reg.DBG_RESULT: lambda: self._result,
            Reg.DBG_PHYS_LOW: lambda: self._phys & 0xFFFFFFFF,
            Reg.DBG_PHYS_HIGH: lambda: self._phys >> 32,
            Reg.COUNTER_CTRL: lambda: int(self._frozen),
            Reg.COUNTER_OVERFLOW: lambda: 0,
        }
        return (special[offset](), OKAY) if offset in special else (0, SLVERR)

    def write(self, offset, value):
        """Writes the register at ``offset``; returns the response."""
        special = {
            Reg.CQ_TAIL: self._write_tail, Reg.CQ_STATUS: self._clear_cq,
            Reg.FQ_HEAD: self._write_head, Reg.FQ_STATUS: self._clear_fq,
            Reg.PORT_ENABLE: self._write_ports, Reg.DBG_CTRL: self._debug,
            Reg.COUNTER_CTRL: self._write_counter_ctrl, Reg.COUNTER_OVERFLOW: lambda value: None,
        }
        if offset in LOCKED:
            user, mask = LOCKED[offset]
            if self._in_use(user):
                return SLVERR
            low, high = LOG2_RANGE.get(offset, (0, 1 << 32))
            self._regs[offset] = min(max(value & mask, low), high)
            self._follow()
        elif offset in PLAIN:
            before = self._regs[offset]
            self._regs[offset] = value & PLAIN[offset]
            self._written(offset, before)
        elif offset in special:
            special[offset](value)
        else:
            return SLVERR               # read-only, or nothing there
        self._update_lines()
        return OKAY

    def _in_use(self, user):
        if user == "DDT":
            return self._regs[Reg.CTRL] & 3 != 0
        return self._regs[Reg.CQ_CTRL if user == "CQ" else Reg.FQ_CTRL] & 1

    def _written(self, offset, before):
        if offset == Reg.CTRL:
            self._follow()
            if self._regs[Reg.CTRL] & 3 == Mode.ABORT.value:
                self._invalidated(None)
        # §7: "turning it on clears HEAD and TAIL"
        elif offset == Reg.CQ_CTRL and self._regs[offset] and not before:
            self._cq_head = self._cq_tail = 0
            self._round += 1
        # §5.1: "Turning the queue on gives every port its quota anew, as a write of FQ_HEAD does."
        elif offset == Reg.FQ_CTRL and self._regs[offset] and not before:
            self._fq_head = self._fq_tail = 0
            self._used = [0] * self.ports

    def _follow(self):
        self.model.mode = self._regs[Reg.CTRL] & 3
        self.model.check_ad = self._regs[Reg.CTRL] >> 2 & 1
        self.model.ddt_base = self._wide(Reg.DDT_BASE_LOW)
        self.model.ddt_log2 = self._regs[Reg.DDT_LOG2]

    def _wide(self, low):
        return self._regs[low + 4] << 32 | self._regs[low]

    # -- commands (§6) -------------------------------------------------------------------------

    @property
    def _cq_slots(self):
        return 1 << self._regs[Reg.CQ_LOG2]

    @property
    def _busy(self):
        """The command queue has a command that it can execute."""
        return bool(self._regs[Reg.CQ_CTRL] and self._cq_head != self._cq_tail
                    and not self._cq_status & (CqStatus.ILLEGAL | CqStatus.ERROR))

    def _write_tail(self, value):
        self._cq_tail = value % self._cq_slots
        self._go_on()

    def _clear_cq(self, value):
        # §6: "the queue stops until software clears the bit, upon which the command is fetched
        # again"
        self._cq_status &= ~value
        self._go_on()

    def _go_on(self):
        if self._busy and not self._executing:
            self._executing = True
            self._scheduler.start(self._execute_all())

    async def _execute_all(self):
        while self._busy:
            begun = self._round
            await self._scheduler.delay(self.command_cycles)
            if self._busy and begun == self._round:
                self._execute()
                self._update_lines()
        self._executing = False

    def _execute(self):
        addr = self._wide(Reg.CQ_BASE_LOW) + 16 * self._cq_head
        try:
            word0, word1 = self.memory.read_u64(addr), self.memory.read_u64(addr + 8)
            legal = self._command(word0, word1)
        except BusError:
            # §6: "A fetch or store error: CQ_ERROR, likewise."
            self._cq_status |= CqStatus.ERROR
            return
        if not legal:
            # §6: "CQ_ILLEGAL is set, CQ_HEAD stays on the command"
            self._cq_status |= CqStatus.ILLEGAL
            return
        self._cq_head = (self._cq_head + 1) % self._cq_slots

    def _command(self, word0, word1):
        """Executes one command; returns whether it is legal."""
        opcode = word0 & 0xFF
        n = word0 >> 52 & 0x3F
        # §6: "63:12 address, aligned to 2^n pages"
        aligned = word1 % (PAGE << n) == 0
        if opcode == 1:
            if word0 >> 11 & 1 and not aligned:
                return False
            self._invalidated((word0, word1))
            self._count("invalidations")
        elif opcode == 2:
            self._invalidated((word0, word1))
            self._count("invalidations")
        elif opcode == 3:
            if word0 >> 8 & 1:
                # §6: "address of the 32-bit store, 4-byte aligned"
                if word1 % 4:
                    return False
                self.memory.write(word1, (word0 >> 32).to_bytes(4, "little"))
            if word0 >> 9 & 1:
                self._cq_status |= CqStatus.FENCE
            self._count("fences")
        elif opcode == 4:
            if not aligned or n > 8:
                return False
            self._count("prefetches")
        else:
            return False
        return True

    # -- faults (§5.1) -------------------------------------------------------------------------

    def record(self, access, answer, port):
        """What becomes of the fault ``answer`` that port ``port`` got for ``access``."""
        self._count("faults")
        # §5.1: "CORE_OFF is not recorded."
        # §3.1: "faults of this device are answered but not recorded (nor counted as lost)"
        # Nothing is counted as lost while the queue is off.
        if answer.cause.name == "CORE_OFF" or answer.quiet or not self._regs[Reg.FQ_CTRL]:
            return
        slots = 1 << self._regs[Reg.FQ_LOG2]
        quota = self._regs[Reg.FQ_QUOTA]
        following = (self._fq_tail + 1) % slots
        if self._fq_status & FqStatus.ERROR:
            self._count("faults_lost")
        elif quota and self._used[port] >= quota:
            self._lose(FqStatus.LIMITED)
        elif following == self._fq_head:
            self._lose(FqStatus.OVERFLOW)
        else:
            words = *expected_record(access, answer, port), self._count_now("cycles")
            try:
                self.memory.write(self._wide(Reg.FQ_BASE_LOW) + 32 * self._fq_tail,
                                  b"".join(word.to_bytes(8, "little") for word in words))
            except BusError:
                self._lose(FqStatus.ERROR)
            else:
                self._fq_tail = following
                self._used[port] += 1
                self._fq_status |= FqStatus.RECORD
        self._update_lines()

    def _lose(self, bit):
        self._fq_status |= bit
        self._count("faults_lost")

    def _write_head(self, value):
        self._fq_head = value % (1 << self._regs[Reg.FQ_LOG2])
        self._used = [0] * self.ports

    def _clear_fq(self, value):
        self._fq_status &= ~value

    # -- ports ---------------------------------------------------------------------------------

    async def admit(self, access, port):
        """Takes a request, once its port is enabled."""
        while not self._enabled >> port & 1:
            self._port_change.clear()
            await self._port_change.wait()
        self._in_flight[port] += 1
        self._count("requests")
        self._count("pages", access.pages + 1)

    def finish(self, access, answers, port):
        """A request's last beat has been handed over; ``answers`` as ``GoldenModel`` gave them."""
        self._in_flight[port] -= 1
        walked = sum(bool(answer.trace) for answer in answers)
        self._count("misses", walked)   # every page on its own
        self._count("walks", walked)
        self._count("table_reads", sum(len(answer.trace) for answer in answers))
        if not answers[-1].granted:
            self.record(access, answers[-1], port)

    def _write_ports(self, value):
        self._enabled = value & ((1 << self.ports) - 1)
        self._port_change.set()

    # -- interrupts ----------------------------------------------------------------------------

    def interrupt(self, line):
        """The level of ``irq_<line>``."""
        enabled = self._regs[Reg.IRQ_ENABLE]
        return bool({"command": enabled & 7 & self._cq_status,
                     "fault": enabled >> 4 & 0xF & self._fq_status, "counter": 0}[line])

    async def wait_interrupt(self, line):
        """Returns once ``irq_<line>`` is high."""
        while not self.interrupt(line):
            self._lines[line].clear()
            await self._lines[line].wait()

    def _update_lines(self):
        for line, event in self._lines.items():
            if self.interrupt(line):
                event.set()

    # -- debug translation ---------------------------------------------------------------------

    def _debug(self, value):
        self._dbg_ctrl = value & 6      # go has done its work at once
        if not value & 1:
            return
        access = Access(value >> 2 & 1, value >> 1 & 1, self._regs[Reg.DBG_SOURCE],
                        self._regs[Reg.DBG_PASID], self._wide(Reg.DBG_ADDR_LOW), 0)
        answer = self.model.translate_page(access, 0)
        self._result = (answer.cause.value | answer.disposition.value << 8 | answer.read << 10
                        | answer.write << 11 | answer.size.value << 12)
        self._phys = answer.addr

    # -- counters ------------------------------------------------------------------------------

    def _count(self, name, amount=1):
        if not self._frozen:
            self._counts[name] += amount

    def _count_now(self, name):
        running = 0
        if name == "cycles" and not self._frozen:
            running = self._scheduler.now - self._since
        return self._counts[name] + running

    def _write_counter_ctrl(self, value):
        self._counts["cycles"] = self._count_now("cycles")
        self._since = self._scheduler.now
        self._frozen = bool(value & 1)
        if value & 2:
            self._counts = dict.fromkeys(COUNTERS, 0)

    # -- for the driver ------------------------------------------------------------------------

    @property
    def platform(self):
        """A ``Platform`` over these registers, whose accesses must not answer SLVERR."""
        async def read(offset):
            value, response = self.read(offset)
            assert response == OKAY, f"reading {offset:#05x} answers {response}"
            return value

        async def write(offset, value):
            response = self.write(offset, value)
            assert response == OKAY, f"writing {value:#x} to {offset:#05x} answers {response}"
        return Platform(read, write, self.wait_interrupt)
