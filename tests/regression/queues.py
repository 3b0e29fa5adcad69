"""Both queues of a simulated core, from software's side: rings in memory, registers around them.

This is the tests' own driver, close to the registers so that it can misuse them. The operating
system's is ``sim.host.control``.
"""

from sim.host.control import commands
from sim.host.control.commands import selected
from siommu.arch.formats import Cause, CommandAddress, CommandWord0, FaultWord0, Opcode
from siommu.arch.packing import pack, unpack
from siommu.arch.register_map import register

from .scene import Scene

__all__ = ["Queues", "offset", "record_of", "collect", "compare", "check_records", "inval_tlb",
           "inval_context", "fence", "prefetch", "start"]


def offset(name):
    """Byte offset of the register ``name``."""
    return register(name).offset


def _command(opcode, **fields):
    return pack(CommandWord0, opcode=opcode, **fields)


def _words(single):
    (command,) = single
    return command.word0, command.word1


def inval_tlb(device=None, pasid=None, ft=None, addr=None, n=0):
    """INVAL_TLB by what is not ``None``, aligned or not."""
    return _command(Opcode.INVAL_TLB, n=n, by_addr=addr is not None,
                    **selected(device, pasid, ft)), addr or 0


def inval_context(device=None, pasid=None):
    """INVAL_CONTEXT by what is not ``None``."""
    return _words(commands.inval_context(device, pasid))


def fence(store=None, data=0, signal=0):
    """FENCE; ``store`` is the address of the store, aligned or not."""
    return _words(commands.fence(store, data, signal))


def prefetch(device, pasid, ft, addr, n=0):
    """PREFETCH, aligned or not."""
    fields = dict(device=device, pasid=pasid, ft=ft)
    return _command(Opcode.PREFETCH, n=n, **fields), \
        pack(CommandAddress, page=addr >> 12, offset=addr & 4095)


def record_of(tb, transaction, port):
    """The record that a transaction must have left, but for ``cycles``."""
    access, beat = transaction.access, transaction.beats[-1]
    page = sum(beat.pages + 1 for beat in transaction.beats[:-1])
    answer = tb.golden.translate_page(access, page)
    return {"cause": answer.cause.value, "disposition": answer.disposition.value,
            "write": access.write, "ft": access.ft, "level": answer.level, "zero_15": 0,
            "device": access.device, "pasid": access.pasid, "tag": access.tag, "port": port,
            "addr": beat.addr, "entry": answer.entry_addr}


def collect(tb):
    """Lists of the records that faults must leave, by port, in the order of their answers. From
    now on every answer is checked, and every fault that is recorded is listed, as the tables are
    when it is answered."""
    failed = [[] for _ in tb.drivers]

    def expect(transaction):
        tb.check(transaction)
        answer = tb.answers(transaction.access)[-1]
        if not (answer.granted or answer.quiet or answer.cause is Cause.CORE_OFF):
            port = tb.drivers.index(transaction.port)
            failed[port].append(record_of(tb, transaction, port))
    tb.expect = expect
    return failed


def compare(failed, records):
    """Every fault has its record, in its port's order, and no other is there."""
    for port, wanted in enumerate(failed):
        mine = [entry for entry in records if entry["port"] == port]
        assert len(mine) == len(wanted), f"port {port}"
        stamps = [entry.pop("cycles") for entry in mine]
        assert stamps == sorted(stamps)
        for entry, one in zip(mine, wanted):
            assert entry == one, f"{entry}, not {one}"
    assert sum(map(len, failed)) == len(records)


async def check_records(queues, failed):
    """Compares the records of all faults since the last call, whose lists (:func:`collect`) are
    empty then; the ports must be idle. Returns how many there were."""
    records = await queues.records_until(sum(map(len, failed)))
    compare(failed, records)
    for listed in failed:
        listed.clear()
    return len(records)


FAR = 0xF0 << 32     #: a page's address, below every limit, with four bits that tables do not have


class Queues:
    """The command queue and the fault queue of ``tb``.

    Parameters
    ----------
    tb : Testbench
    cq_log2, fq_log2 : int
        Sizes of the rings.
    far : bool
        Whether they lie where no table entry points, though a bit or two of it are flipped.
    """

    def __init__(self, tb, cq_log2=6, fq_log2=8, far=False):
        self.tb, self.cq_log2, self.fq_log2 = tb, cq_log2, fq_log2
        self.commands, self.records, self.flag = (       # fences store at the flag
            tb.memory.alloc_pages(max(1, size >> 12)) | far * FAR
            for size in (16 << cq_log2, 32 << fq_log2, 4))
        self.tail = self.head = self.sequence = 0

    async def start(self, *, commands=True, faults=True, quota=0, interrupts=0):
        """Programs and enables the queues."""
        regs = self.tb.regs
        for name, base, log2, on in (("CQ", self.commands, self.cq_log2, commands),
                                     ("FQ", self.records, self.fq_log2, faults)):
            if on:
                await regs.set(offset(f"{name}_BASE_LOW"), base & 0xFFFFFFFF)
                await regs.set(offset(f"{name}_BASE_HIGH"), base >> 32)
                await regs.set(offset(f"{name}_LOG2"), log2)
        await regs.set(offset("FQ_QUOTA"), quota)
        await regs.set(offset("IRQ_ENABLE"), interrupts)
        for name, on in (("CQ", commands), ("FQ", faults)):
            if on:
                await regs.set(offset(f"{name}_CTRL"), 1)
        self.tail = self.head = 0

    # -- commands ------------------------------------------------------------------------------

    def put(self, *commands):
        """Writes commands into the ring, without telling the core."""
        for word0, word1 in commands:
            addr = self.commands + 16 * self.tail
            self.tb.memory.write_u64(addr, word0)
            self.tb.memory.write_u64(addr + 8, word1)
            self.tail = (self.tail + 1) % (1 << self.cq_log2)

    async def ring(self):
        """Tells the core."""
        await self.tb.regs.set(offset("CQ_TAIL"), self.tail)

    async def run(self, *commands):
        """Has the core execute ``commands`` and a fence behind them; returns the cycle in which the
        fence's store was in memory."""
        assert len(commands) + 1 < 1 << self.cq_log2, "the ring holds fewer commands"
        self.sequence = (self.sequence + 1) & 0xFFFFFFFF
        sequence = self.sequence
        self.put(*commands, fence(self.flag, sequence))
        await self.ring()
        await self.tb.until(lambda: self.flagged() == sequence, what="a fence's store")
        for word0, _ in commands:
            self.tb.coverage.command(word0)
        return self.tb.cycle

    def flagged(self):
        """The word that fences store."""
        return int.from_bytes(self.tb.memory.read(self.flag, 4), "little")

    # -- records -------------------------------------------------------------------------------

    async def take(self, *, free=True):
        """The records since the last call: fields of word 0, ``addr``, ``entry``, ``cycles``."""
        tail = await self.tb.regs.get(offset("FQ_TAIL"))
        found = []
        while self.head != tail:
            addr = self.records + 32 * self.head
            words = [self.tb.memory.read_u64(addr + 8 * index) for index in range(4)]
            found.append({**unpack(FaultWord0, words[0]), "addr": words[1], "entry": words[2],
                          "cycles": words[3]})
            self.head = (self.head + 1) % (1 << self.fq_log2)
        if free and found:
            await self.tb.regs.set(offset("FQ_HEAD"), self.head)
        return found

    async def records_until(self, count):
        """The next records, once there are ``count`` or more; what had no time to come is missing.
        """
        found = []
        for _ in range(200):
            found += await self.take()
            if len(found) >= count:
                break
            await self.tb.cycles(20)
        return found

    # -- counters ------------------------------------------------------------------------------

    async def counter(self, name):
        """Value of a counter."""
        regs = self.tb.regs
        low = await regs.get(offset(f"{name.upper()}_LOW"))
        return low | await regs.get(offset(f"{name.upper()}_HIGH")) << 32


async def start(tb, name, *, log2=8, **options):
    """A test's name, its scene, and both queues, turned on. ``log2``: of ``Scene``; ``options``: of
    ``Queues``."""
    tb.name = name
    scene, queues = Scene(tb, log2), Queues(tb, **options)
    await scene.enable()
    await queues.start()
    return scene, queues
