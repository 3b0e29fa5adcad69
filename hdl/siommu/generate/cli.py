"""The command line: ``python -m siommu generate`` (or ``siommu generate``) writes the Verilog of
the core, ``siommu bridge`` that of the translating bridge."""

import argparse
import dataclasses
import sys
from pathlib import Path

from amaranth.back.verilog import YosysError

from .. import __version__
from ..arch.config import PRESETS, BridgeConfig, Config, ConfigError
from .export import bridge_verilog, verilog
from .files import command, write_whole
from .installed import FILES, MissingFile, find

__all__ = ["main"]


def _parser():
    parser = argparse.ArgumentParser(
        prog="siommu", description="SIOMMU: an I/O memory management unit for storage and memory.")
    parser.add_argument("--version", action="version", version=f"siommu {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    generate = commands.add_parser(
        "generate", help="write the Verilog of one configuration",
        description="Write the Verilog module `siommu` of one configuration. The same "
                    "configuration always gives the same bytes.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    generate.add_argument("--preset", choices=PRESETS, default="default",
                          help="the configuration to begin with")
    generate.add_argument("--output", "-o", type=Path, default=Path("build/siommu.v"),
                          help="the file to write")
    generate.add_argument("--checked", action="store_true",
                          help="with the contracts between modules as SystemVerilog assertions, "
                               "for simulation")
    parameters = generate.add_argument_group(
        "parameters", "each replaces the preset's value; see docs/configuration.md")
    for field in dataclasses.fields(Config):
        option = "--" + field.name.replace("_", "-")
        values = ", ".join(f"{name}: {getattr(preset, field.name)}"
                           for name, preset in PRESETS.items())
        text = f"{Config.summary(field.name)} ({values})"
        if field.type in (bool, "bool"):
            parameters.add_argument(option, action=argparse.BooleanOptionalAction,
                                    default=argparse.SUPPRESS, help=text)
        else:
            parameters.add_argument(option, type=int, metavar="N", default=argparse.SUPPRESS,
                                    help=text)
    _add_bridge(commands)
    files = commands.add_parser(
        "files", help="tell where the C headers and the descriptions of the registers are",
        description="Print the path of each file that is no Python; with a name, of that one.")
    files.add_argument("name", nargs="?", choices=FILES, help="which one")
    return parser


def _add_bridge(commands):
    bridge = commands.add_parser(
        "bridge", help="write the Verilog of the translating bridge",
        description="Write the Verilog module `siommu_axi_bridge` (§9 of the specification), which "
                    "stands between a device that speaks plain AXI4 and memory.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    default = BridgeConfig()
    bridge.add_argument("--output", "-o", type=Path, default=Path("build/siommu_axi_bridge.v"),
                        help="the file to write")
    bridge.add_argument("--checked", action="store_true",
                        help="with the contracts between modules as SystemVerilog assertions, "
                             "for simulation")
    for option, value, text in (
            ("--data-width", default.data_width, "bits of the data: 64, 128, 256 or 512"),
            ("--id-width", default.id_width, "bits of the AXI ids: 1 to 16"),
            ("--outstanding", default.outstanding,
             "translations under way in each direction: 1 to 32")):
        bridge.add_argument(option, type=int, metavar="N", default=value, help=text)


def _tell_files(parser, name):
    """Prints where a file is, or all are, each with what it is."""
    try:
        if name:
            print(find(name))
            return 0
        for each, (_, text) in FILES.items():
            print(f"{find(each)}  {text}")
    except MissingFile as error:
        parser.exit(1, f"siommu: {error}\n")
    return 0


def _configuration(options):
    """What is to be made: its configuration, and the function that writes it as Verilog."""
    if options["command"] == "bridge":
        return BridgeConfig(*(options[field.name] for field in dataclasses.fields(BridgeConfig))), \
            bridge_verilog
    changes = {field.name: options[field.name] for field in dataclasses.fields(Config)
               if field.name in options}
    return PRESETS[options["preset"]].with_(**changes), verilog


@command
def main(arguments=None):
    """Run the command line; returns the exit status."""
    parser = _parser()
    options = vars(parser.parse_args(arguments))
    if options["command"] == "files":
        return _tell_files(parser, options["name"])
    try:
        config, write = _configuration(options)
    except ConfigError as error:
        parser.exit(2, f"siommu: {error}\n")
    output = options["output"]
    try:
        text = write(config, options["checked"])
    except YosysError as error:         # it writes temporary files, for instance on a full disk
        reason = str(error).strip().splitlines() or ["no reason given"]
        parser.exit(1, f"siommu: Yosys cannot make the Verilog: {reason[-1]}\n")
    write_whole(output, text)
    print(f"siommu: wrote {output} ({len(text.splitlines())} lines) for {config}",
          file=sys.stderr)
    return 0
