"""cocotb tests of the SoC of LiteX in ``docs/example_litex.py``; ``test_litex.py`` starts them.

The bus master from outside does what software would: it fills the RAM, and writes the registers of
the SIOMMU and of the device that asks.
"""

import json
import os
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles
from cocotbext.axi import AxiLiteBus, AxiLiteMaster
from cocotbext.axi.constants import AxiResp

from sim.memory import Memory
from sim.tables import DeviceDirectory, PageTable, PasidDirectory
from siommu.arch.formats import Cause, FaultWord0, Mode
from siommu.arch.packing import unpack
from siommu.arch.register_map import register

PASID, PAGE, TARGET = 7, 0x7F00_1234_5000, 0x4000_F000


class Soc:
    """The SoC in reset, and then its bus.

    Attributes
    ----------
    memory : Memory
        What is to be in the RAM; ``load`` takes it there.
    """

    def __init__(self, dut):
        self.dut = dut
        self.map = json.loads(Path(os.environ["SIOMMU_LITEX_MAP"]).read_text())
        self.bus = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "bus"), dut.clk, dut.rst)
        ram = self.map["memories"]["main_ram"]
        self.memory = Memory(ram["base"], ram["size"])
        self._registers = self.map["memories"]["siommu"]["base"]

    async def reset(self):
        cocotb.start_soon(Clock(self.dut.clk, 10, unit="ns").start())
        self.dut.rst.value = 1
        await ClockCycles(self.dut.clk, 4)
        self.dut.rst.value = 0
        await ClockCycles(self.dut.clk, 4)

    async def load(self):
        """Writes the memory's content into the RAM, as far as it is not 0."""
        for page in self.memory.pages():
            content = self.memory.read(page, 4096)
            for place in range(0, 4096, 8):
                word = content[place:place + 8]
                if any(word):
                    await self.bus.write(page + place, word)

    async def set(self, name, value):
        """Writes a register of the SIOMMU."""
        done = await self.bus.write(self._registers + register(name).offset,
                                    value.to_bytes(4, "little"))
        assert done.resp == AxiResp.OKAY, name

    async def get(self, name):
        return await self.bus.read_dword(self._registers + register(name).offset)

    async def csr(self, name, value=None):
        """Writes or reads a register of LiteX; the more significant word of two is the first."""
        where = self.map["csr_registers"][f"asker_{name}"]
        words = range(where["size"])
        if value is None:
            parts = [await self.bus.read_dword(where["addr"] + 4 * word) for word in words]
            return sum(part << 32 * word for word, part in enumerate(reversed(parts)))
        for word in words:
            await self.bus.write_dword(where["addr"] + 4 * word,
                                       value >> 32 * (where["size"] - 1 - word) & 0xFFFF_FFFF)

    async def ask(self, addr, pasid=PASID, write=0):
        """(cause, physical address) that the device is answered."""
        await self.csr("addr", addr)
        await self.csr("pasid", pasid)
        await self.csr("ask", write)
        for _ in range(1000):
            answer = await self.csr("answer")
            if not answer >> 8:
                return Cause(answer & 0xFF), await self.csr("phys")
        raise AssertionError("no answer")

    def tables(self):
        """Makes the directory with one process of the device, whose memory table maps one page;
        returns that table."""
        self.directory, self.pasids = DeviceDirectory(self.memory, 9), PasidDirectory(
            self.memory, 0)
        table = PageTable(self.memory)
        table.map(PAGE, TARGET, write=False)
        self.pasids.set(PASID, mem=table)
        self.directory.set(0x0100, pasids=self.pasids)
        return table

    async def enable(self):
        await self.load()
        await self.set("DDT_BASE_LOW", self.directory.base)
        await self.set("DDT_LOG2", self.directory.log2)
        await self.set("CTRL", Mode.TRANSLATE.value)


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def a_page_is_translated_and_others_are_refused(dut):
    soc = Soc(dut)
    await soc.reset()
    assert await soc.get("ID") == register("ID").field("ID").reset
    assert await soc.ask(PAGE) == (Cause.CORE_OFF, PAGE)
    soc.tables()
    await soc.enable()
    assert await soc.ask(PAGE + 0x678) == (Cause.OK, TARGET + 0x678)
    assert await soc.ask(PAGE + 0x678, write=1) == (Cause.WRITE_DENIED, PAGE + 0x678)
    assert await soc.ask(PAGE + 0x1000) == (Cause.NOT_PRESENT, PAGE + 0x1000)
    assert await soc.ask(PAGE, PASID + 1) == (Cause.PASID_INVALID, PAGE)
    assert await soc.get("FAULTS_LOW") == 4


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def a_fault_is_recorded_in_the_ram(dut):
    soc = Soc(dut)
    await soc.reset()
    soc.tables()
    records = soc.memory.alloc_pages()
    await soc.enable()
    await soc.set("FQ_BASE_LOW", records)
    await soc.set("FQ_LOG2", 3)
    await soc.set("FQ_CTRL", 1)
    await soc.set("IRQ_ENABLE", register("IRQ_ENABLE").field("FQ_RECORD").mask)
    assert not dut.irq.value
    for number in range(3):
        page = PAGE + (number + 1) * 0x1000
        assert await soc.ask(page) == (Cause.NOT_PRESENT, page)
        while await soc.get("FQ_TAIL") == number:
            pass
        words = [int.from_bytes((await soc.bus.read(records + 32 * number + 8 * word, 8)).data,
                                "little") for word in range(4)]
        assert Cause(unpack(FaultWord0, words[0])["cause"]) == Cause.NOT_PRESENT
        assert page in words
    assert dut.irq.value


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def tables_where_there_is_no_memory(dut):
    """Neither outside of the RAM, nor beyond the addresses of LiteX, where the RAM would come
    again."""
    soc = Soc(dut)
    await soc.reset()
    table = soc.tables()
    root = table.root
    for number, place in enumerate((0x5000_0000, root | 1 << 32, root | 1 << 51), 1):
        table.root = place
        soc.pasids.set(PASID + number, mem=table)
    await soc.enable()
    assert await soc.ask(PAGE) == (Cause.OK, TARGET)
    for number in (1, 2, 3):
        assert await soc.ask(PAGE, PASID + number) == (Cause.TABLE_ERROR, PAGE)
    assert await soc.ask(PAGE) == (Cause.OK, TARGET)
