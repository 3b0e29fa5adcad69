"""The command ``siommu-host``: what a board is asked from a shell."""

import argparse
import contextlib
import json
import os
import sys
from dataclasses import asdict

from siommu.arch.formats import Cause, Disposition, Mode, Size
from siommu.arch.register_map import REGISTERS

from ..model.responses import Access
from ..text_table import table
from . import tables, worlds
from .board import Board, BoardError
from .link import Link, LinkError
from .memory import BoardMemory

__all__ = ["main"]

FAULTS_PAGE = 0x1000    #: where `load` puts the ring of fault records; tables come behind it
READ_TIMEOUT = .05      #: seconds of one look at the port


class CommandError(Exception):
    """The command cannot be done. The message is a sentence."""


def _number(text):
    """A number of the command line, decimal or 0x…"""
    try:
        value = int(text, 0)
    except ValueError:
        value = -1
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number; give 12 or 0xC")
    return value


def _field(bits):
    def number(text):
        value = _number(text)
        if value >> bits:
            raise argparse.ArgumentTypeError(f"{text} does not fit into {bits} bits")
        return value
    return number


def _pages(text):
    value = _number(text)
    if not 1 <= value <= 256:
        raise argparse.ArgumentTypeError(f"{text} pages cannot be asked for; choose 1 to 256")
    return value


def _positive(text):
    value = _number(text)
    if not value:
        raise argparse.ArgumentTypeError("0 is too few; choose 1 or more")
    return value


def _parser():
    parser = argparse.ArgumentParser(
        prog="siommu-host", description="Loads, asks and reads a SIOMMU on a board, over its UART.")
    parser.add_argument("--port", help="the serial port, /dev/ttyUSB0 for instance")
    parser.add_argument("--simulate", action="store_true",
                        help="a simulated board instead (in a checkout of the sources)")
    parser.add_argument("--preset", default="small",
                        help="the simulated core's configuration (small)")
    parser.add_argument("--baud", type=_positive, default=115_200,
                        help="bits per second (115200); a simulated board takes any")
    parser.add_argument("--timeout", type=float, default=5.0, metavar="SECONDS",
                        help="how long to wait for an answer (5)")
    parser.add_argument("--json", action="store_true", help="answers as JSON, for scripts")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name, text, *arguments):
        command = commands.add_parser(name, help=text, description=text.capitalize() + ".")
        for names, options in arguments:
            command.add_argument(*names, **options)

    add("info", "what the board is")
    add("registers", "read registers",
        (("names",), dict(nargs="*", metavar="NAME", help="which ones; all without names")))
    add("set", "write a register", (("name",), {}), (("value",), dict(type=_field(32))))
    add("counters", "read the counters")
    add("load", "load tables into the board's memory and translate with them",
        (("file",), dict(help="a description in JSON")),
        (("--check-ad",), dict(action="store_true", help="with CTRL.CHECK_AD")))
    add("translate", "ask for a translation",
        (("--port-number",), dict(type=_field(3), default=0, help="the core's port (0)")),
        (("--blocks",), dict(action="store_true", help="a block address: FT = 1")),
        (("--write",), dict(action="store_true", help="a write")),
        (("--device",), dict(type=_field(16), required=True)),
        (("--pasid",), dict(type=_field(20), default=0)),
        (("--pages",), dict(type=_pages, default=1, help="1 to 256 (1)")),
        (("address",), dict(type=_field(64))))
    add("faults", "take the fault records that wait")
    add("memory", "read words of the board's memory", (("address",), dict(type=_number)),
        (("words",), dict(type=_positive, nargs="?", default=1)))
    add("random", "random worlds, compared with the golden model",
        (("--translations",), dict(type=_positive, default=1000, metavar="N",
                                   help="requests to compare (1000)")),
        (("--seed",), dict(type=_number, default=0, help="the first world (0)")))
    add("reset", "reset the core; the memory stays")
    return parser


def _reason(error):
    """Why a port cannot be opened: pyserial's own text has it twice, or as a tuple."""
    if getattr(error, "errno", None):
        return os.strerror(error.errno)
    return "it is no serial port" if "configure port" in str(error) else error


@contextlib.contextmanager
def _port(options):
    """The open port of the options."""
    try:
        import serial
    except ImportError:
        raise CommandError("the Python package pyserial is missing; `pip install siommu[board]` "
                           "installs it") from None
    with contextlib.ExitStack() as stack:
        name = options.port
        if options.simulate:
            name = stack.enter_context(_simulated(options)).port
        elif name is None:
            raise CommandError("say where the board is: --port /dev/ttyUSB0, or --simulate")
        try:
            port = serial.Serial(name, options.baud, timeout=READ_TIMEOUT,
                                 write_timeout=options.timeout)
        except (OSError, ValueError) as error:
            raise CommandError(f"cannot open {name}: {_reason(error)}") from None
        stack.enter_context(port)
        port.reset_input_buffer()
        yield port


def _simulated(options):
    try:
        from fpga.image.config import ImageConfig
        from fpga.image.simulated import SIMULATED, SimulatedBoard
    except ImportError:
        raise CommandError("the simulated board is not installed; run --simulate in a checkout of "
                           "the sources, after `make test`") from None
    from siommu.arch.config import PRESETS, ConfigError
    from siommu.generate.files import WriteError

    from ..verilated.build import BuildError
    if options.preset not in PRESETS:
        raise CommandError(f"there is no preset {options.preset!r}; choose among "
                           f"{', '.join(PRESETS)}")
    try:
        return SimulatedBoard(ImageConfig(PRESETS[options.preset], **SIMULATED))
    except (BuildError, ConfigError, WriteError) as error:
        raise CommandError(str(error)) from None


# -- commands: each returns what JSON shows, and the lines for people ------------------------------

def _info(board, options):
    info = asdict(board.info)
    found = board.registers(["ID", "VERSION", "CAPS0", "CAPS1", "CTRL"])
    mode = found["CTRL"] & 3
    info |= {"id": found["ID"], "core": f"{found['VERSION'] >> 16}.{found['VERSION'] & 0xFFFF}",
             "walks": found["CAPS0"] >> 8 & 0xFF, "l1_entries": found["CAPS0"] >> 16,
             "l2_entries": found["CAPS1"], "mode": Mode(mode if mode != 3 else 0).name}
    lines = [f"{name:<12}{value:#x}" if name == "id" else f"{name:<12}{value}"
             for name, value in info.items()]
    return info, lines


def _registers(board, options):
    found = board.registers([name.upper() for name in options.names] or None)
    width = max(len(entry.name) for entry in REGISTERS)
    return found, [f"{name:<{width}}  {value:#010x}" for name, value in found.items()]


def _set(board, options):
    name = options.name.upper()
    board.set(name, options.value)
    return {name: options.value}, []


def _counters(board, options):
    found = board.counters()
    return found, [f"{name:<14}{value}" for name, value in found.items()]


def _load(board, options):
    description = tables.read_description(options.file)
    board.stop()
    board.set("FQ_CTRL", 0)
    memory = BoardMemory(board, first=2)
    directory = tables.build(memory, description)
    memory.flush()
    board.open_faults(FAULTS_PAGE)
    board.start(directory.base, directory.log2, options.check_ad)
    pages = len(memory.pages())
    return {"pages": pages, "ddt_base": directory.base, "ddt_log2": directory.log2}, \
        [f"{pages} pages of tables are loaded; the core translates"]


def _translate(board, options):
    access = Access(int(options.blocks), int(options.write), options.device, options.pasid,
                    options.address, options.pages - 1)
    (beats,) = board.ask([(options.port_number, access)])
    found = [{"cause": Cause(beat.cause).name, "disposition": Disposition(beat.disposition).name,
              "address": beat.addr, "pages": beat.pages + 1, "read": beat.read,
              "write": beat.write, "size": Size(beat.size).name} for beat in beats]
    lines = [f"granted  {beat['address']:#x}, {beat['pages']} page(s), "
             f"{'r' if beat['read'] else '-'}{'w' if beat['write'] else '-'}, {beat['size']}"
             if beat["cause"] == "OK" else
             f"refused  {beat['address']:#x}: {beat['cause']}, {beat['disposition']}"
             for beat in found]
    return {"granted": not beats[-1].cause, "beats": found}, lines


def _faults(board, options):
    records = [{name: getattr(value, "name", value) for name, value in asdict(record).items()}
               for record in board.faults()]
    if not records:
        return [], ["no fault records wait"]
    head = ("port", "device", "pasid", "access", "address", "cause", "level", "disposition")
    rows = [(record["port"], record["device"], record["pasid"],
             f"{'write' if record['write'] else 'read'} {'blocks' if record['ft'] else 'memory'}",
             f"{record['addr']:#x}", record["cause"], record["level"], record["disposition"])
            for record in records]
    return records, table(f"{len(records)} fault record(s)", head, rows)[1:]


def _memory(board, options):
    addresses = [options.address + 8 * index for index in range(options.words)]
    words = board.read_words(addresses)
    return {f"{addr:#x}": word for addr, word in zip(addresses, words)}, \
        [f"{addr:#010x}  {word:016x}" for addr, word in zip(addresses, words)]


def _random(board, options):
    step = 1 if sys.stderr.isatty() else options.translations // 10 or 1
    said = [0]

    def progress(result):
        if result.translations < said[0] + step:
            return
        said[0] = result.translations
        over = result.translations >= options.translations or not sys.stderr.isatty()
        print(f"siommu: {result.translations} of {options.translations} translations, "
              f"{result.worlds} worlds, {len(result.differences)} differences",
              end="\n" if over else "\r", file=sys.stderr, flush=True)
    found = worlds.run(board, options.translations, options.seed, progress)
    lines = [f"{found.translations} requests, {found.pages} pages, {found.grants} of them granted,"
             f" in {found.worlds} worlds; seed {options.seed}",
             "requests by how they ended: " + ", ".join(
                 f"{cause} {count}" for cause, count in sorted(found.causes.items())),
             *(f"world {each['world']}: {each['error']}" for each in found.differences),
             f"{len(found.differences)} differences from the golden model"]
    return asdict(found), lines


def _reset(board, options):
    board.reset()
    return {}, []


COMMANDS = {"info": _info, "registers": _registers, "set": _set, "counters": _counters,
            "load": _load, "translate": _translate, "faults": _faults, "memory": _memory,
            "random": _random, "reset": _reset}


def main(arguments=None):
    """The command line; returns the exit status: 1 if the board cannot be asked, or if random
    worlds found a difference."""
    options = _parser().parse_args(arguments)
    try:
        with _port(options) as port:
            board = Board(Link(port, port.name, options.timeout), max(options.timeout, 1))
            found, lines = COMMANDS[options.command](board, options)
    except (CommandError, LinkError, BoardError, tables.DescriptionError) as error:
        print(f"siommu: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("siommu: interrupted", file=sys.stderr)
        return 130
    if options.json:
        print(json.dumps(found))
    elif lines:
        print("\n".join(lines))
    return int(options.command == "random" and bool(found["differences"]))


if __name__ == "__main__":
    sys.exit(main())
