"""The example of a design in Amaranth: real tables, one page that is granted and others that are
not; and all of it as Verilog."""

import importlib.util
import re
import subprocess
import sys
import tomllib

import pytest
from amaranth.hdl import Fragment

import siommu
from sim.memory import Memory
from sim.tables import DeviceDirectory, PageTable, PasidDirectory
from siommu import Cause, Config, Mode, SiommuComponent
from siommu.arch.register_map import register

from ..hdl.generate.test_export import ports
from ..support.simulate import simulate
from ..tools.test_house import ROOT as HDL

ROOT = HDL.parents[1]
PASID, PAGE, BUFFER = 7, 0x7F00_1234_5000, 0x9000


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("example_component",
                                                  ROOT / "docs" / "example_component.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tables(example):
    """The memory with tables of one process that has one page; and the device directory."""
    memory = Memory(0x1000, (1 << example.LOG2) - 0x1000)
    directory, pasids = DeviceDirectory(memory, 9), PasidDirectory(memory, 0)
    table = PageTable(memory)
    table.map(PAGE, BUFFER)
    pasids.set(PASID, mem=table)
    directory.set(example.DEVICE, pasids=pasids)
    return memory, directory


async def store(ctx, host, address, word):
    """The processor writes a word into the memory."""
    for name, value in {"addr": address >> 3, "data": word, "write": 1, "valid": 1}.items():
        ctx.set(getattr(host, name), value)
    while not ctx.get(host.ready):
        await ctx.tick()
    await ctx.tick()
    ctx.set(host.valid, 0)


async def write(ctx, bus, name, value):
    """The processor writes a register."""
    ctx.set(bus.aw.payload, register(name).offset)
    ctx.set(bus.w.payload, {"data": value, "strb": 15})
    ctx.set(bus.b.ready, 1)
    left = {"aw", "w"}
    for channel in left:
        ctx.set(getattr(bus, channel).valid, 1)
    while left:
        taken = {channel for channel in left if ctx.get(getattr(bus, channel).ready)}
        await ctx.tick()
        for channel in taken:
            ctx.set(getattr(bus, channel).valid, 0)
        left -= taken
    while not ctx.get(bus.b.valid):
        await ctx.tick()
    assert ctx.get(bus.b.payload) == 0
    await ctx.tick()


async def read(ctx, bus, name):
    ctx.set(bus.ar.payload, register(name).offset)
    ctx.set(bus.ar.valid, 1)
    ctx.set(bus.r.ready, 1)
    while not ctx.get(bus.ar.ready):
        await ctx.tick()
    await ctx.tick()
    ctx.set(bus.ar.valid, 0)
    while not ctx.get(bus.r.valid):
        await ctx.tick()
    value = ctx.get(bus.r.payload)
    await ctx.tick()
    assert value.resp == 0
    return value.data


async def ask(ctx, soc, addr, pasid=PASID):
    """(cause, physical address) of the reader's answer."""
    ctx.set(soc.addr, addr)
    ctx.set(soc.pasid, pasid)
    ctx.set(soc.start, 1)
    await ctx.tick()
    ctx.set(soc.start, 0)
    while ctx.get(soc.busy):
        await ctx.tick()
    assert ctx.get(soc.granted) == (ctx.get(soc.cause) == Cause.OK.value)
    return Cause(ctx.get(soc.cause)), ctx.get(soc.phys)


@pytest.mark.parametrize("config", [siommu.PRESETS["small"], siommu.PRESETS["small"].with_(
    cpu_port=True, port_depth=4, walks=1)], ids=["small", "two ports"])
def test_a_page_is_translated_and_others_are_refused(example, config):
    soc = example.ExampleSoc(config)
    memory, directory = tables(example)

    async def scenario(ctx):
        assert await read(ctx, soc.registers, "ID") == register("ID").field("ID").reset
        assert await ask(ctx, soc, PAGE) == (Cause.CORE_OFF, PAGE)
        for page in memory.pages():
            for address in range(page, page + 4096, 8):
                if memory.read_u64(address):
                    await store(ctx, soc.memory, address, memory.read_u64(address))
        await write(ctx, soc.registers, "DDT_BASE_LOW", directory.base)
        await write(ctx, soc.registers, "DDT_LOG2", directory.log2)
        await write(ctx, soc.registers, "CTRL", Mode.TRANSLATE.value)
        assert await ask(ctx, soc, PAGE + 0x678) == (Cause.OK, BUFFER + 0x678)
        assert await ask(ctx, soc, PAGE + 0x1000) == (Cause.NOT_PRESENT, PAGE + 0x1000)
        assert await ask(ctx, soc, PAGE, PASID + 1) == (Cause.PASID_INVALID, PAGE)
        assert await read(ctx, soc.registers, "FAULTS_LOW") == 3
        assert not ctx.get(soc.irq)

    simulate(soc, scenario, cycles=10_000)


def test_it_is_one_verilog_module(tmp_path):
    subprocess.run([sys.executable, ROOT / "docs/example_component.py", tmp_path / "soc.v"],
                   check=True, env={"PYTHONPATH": f"{ROOT / 'hdl'}:{ROOT}"})
    text = (tmp_path / "soc.v").read_text()
    found = ports(text, "example_component")
    assert found["registers__w__payload"] == ("input", 36)
    assert found["registers__r__payload"] == ("output", 34)
    assert found["memory__ready"] == ("output", 1) and found["phys"] == ("output", 64)
    done = subprocess.run([sys.executable, ROOT / "scripts/verilator", "--lint-only", "-Wall",
                           "--top-module", "example_component", ROOT / "scripts/siommu.vlt",
                           tmp_path / "soc.v"], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr


def test_ports_by_their_names():
    part = SiommuComponent(Config(device_ports=3, axi_data_width=128, walks=16))
    Fragment.get(part, None).prepare()
    assert list(part.signature.members) == [
        "dev0", "dev1", "dev2", "cpu", "m_axi", "s_axil", "irq_command", "irq_fault", "irq_counter"]
    assert len(part.m_axi.r.payload.data) == 128 and len(part.m_axi.ar.payload.id) == 5


def test_what_is_public_is_there():
    version = register("VERSION")
    specified = f"{version.field('MAJOR').reset}.{version.field('MINOR').reset}"
    package = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert siommu.__version__ == package and package.startswith(f"{specified}.")
    assert f"name: siommu:ip:siommu:{package}\n" in (ROOT / "siommu.core").read_text()
    assert f"\n## {package}\n" in (ROOT / "CHANGELOG.md").read_text()
    assert (ROOT / "hdl" / "releases" / f"siommu-{specified}.rdl").exists()
    for name in siommu.__all__:
        assert getattr(siommu, name) is not None
    with pytest.raises(ImportError, match="cannot import name 'Walker'"):
        from siommu import Walker  # noqa: F401
    # Importing a configuration does not read the whole core.
    said = subprocess.run([sys.executable, "-c", "import sys; from siommu import Config; "
                           "print([name for name in sys.modules if name.startswith('siommu.')])"],
                          capture_output=True, text=True, check=True,
                          env={"PYTHONPATH": str(ROOT / "hdl")})
    assert re.findall(r"'([\w.]+)'", said.stdout) == ["siommu.arch", "siommu.arch.config"]
