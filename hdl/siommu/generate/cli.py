"""The command line: ``python -m siommu generate`` (or ``siommu generate``) writes the Verilog of
the core, ``siommu bridge`` that of the translating bridge, ``siommu template`` a wrapper of one."""

import argparse
import dataclasses
import gc
import sys
from pathlib import Path

from amaranth.back.verilog import YosysError

from .. import __version__
from ..arch.config import PRESETS, BridgeConfig, Config, ConfigError
from .export import bridge_verilog, verilog
from .files import command, write_whole
from .installed import FILES, MissingFile, find
from .ports import module_of
from .template import LANGUAGES, template

__all__ = ["main"]

#: What the command line calls the modules, to the declarations of their parameters.
MODULES = {"core": Config, "bridge": BridgeConfig}
#: The files of the default configurations: what `make verilog` writes, and others use.
FILES_OF_DEFAULT = {"core": Path("build/siommu.v"), "bridge": Path("build/siommu_axi_bridge.v")}


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
    _add_output(generate, "core")
    generate.add_argument("--checked", action="store_true",
                          help="with the contracts between modules as SystemVerilog assertions, "
                               "for simulation")
    generate.add_argument("--covered", action="store_true",
                          help="with the named covers as SystemVerilog cover statements, for "
                               "coverage in simulation")
    _add_parameters(generate)
    _add_bridge(commands)
    _add_template(commands)
    files = commands.add_parser(
        "files", help="tell where the C headers and the descriptions of the registers are",
        description="Print the path of each file that is no Python; with a name, of that one.")
    files.add_argument("name", nargs="?", choices=FILES, help="which one")
    return parser


def _option(name):
    """What the parameter ``name`` is called on the command line."""
    return "--" + name.replace("_", "-")


def _add_output(parser, module):
    parser.add_argument("--output", "-o", type=Path, default=argparse.SUPPRESS,
                        help=f"the file to write (default: {FILES_OF_DEFAULT[module]}, for the "
                             "default configuration alone)")


def _add_parameters(parser):
    """The options of a core's configuration; those that are not given stay away."""
    parser.add_argument("--preset", choices=PRESETS, default=argparse.SUPPRESS,
                        help="the configuration to begin with (default: default)")
    parameters = parser.add_argument_group(
        "parameters", "each replaces the preset's value; see docs/configuration.md")
    for field in dataclasses.fields(Config):
        values = ", ".join(f"{name}: {getattr(preset, field.name)}"
                           for name, preset in PRESETS.items())
        text = f"{Config.summary(field.name)} ({values})"
        if field.type in (bool, "bool"):
            parameters.add_argument(_option(field.name), default=argparse.SUPPRESS, help=text,
                                    action=argparse.BooleanOptionalAction)
        else:
            parameters.add_argument(_option(field.name), type=int, metavar="N",
                                    default=argparse.SUPPRESS, help=text)


def _add_bridge_parameters(parser):
    """The options of a bridge's configuration; those that are not given stay away."""
    default = BridgeConfig()
    parameters = parser.add_argument_group("parameters of the bridge", "see docs/bridge.md")
    for option, value, text in (
            ("--data-width", default.data_width, "bits of the data: 64, 128, 256 or 512"),
            ("--id-width", default.id_width, "bits of the AXI ids: 1 to 16"),
            ("--outstanding", default.outstanding,
             "translations under way in each direction: 1 to 32")):
        parameters.add_argument(option, type=int, metavar="N", default=argparse.SUPPRESS,
                                help=f"{text} (default: {value})")


def _add_bridge(commands):
    bridge = commands.add_parser(
        "bridge", help="write the Verilog of the translating bridge",
        description="Write the Verilog module `siommu_axi_bridge` (§9 of the specification), which "
                    "stands between a device that speaks plain AXI4 and memory.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    _add_output(bridge, "bridge")
    bridge.add_argument("--checked", action="store_true",
                        help="with the contracts between modules as SystemVerilog assertions, "
                             "for simulation")
    _add_bridge_parameters(bridge)


def _add_template(commands):
    wrapper = commands.add_parser(
        "template", help="write a wrapper that has an instance of the module, to copy from",
        description="Write a wrapper with the ports of the module and one instance of it, in "
                    "Verilog or in VHDL, for one configuration.")
    wrapper.add_argument("--language", choices=LANGUAGES, required=True)
    wrapper.add_argument("--module", choices=MODULES, default="core",
                         help="the core or the translating bridge (default: core)")
    wrapper.add_argument("--output", "-o", type=Path, default=argparse.SUPPRESS,
                         help="the file to write (default: build/MODULE_wrapper.v or .vhd)")
    _add_parameters(wrapper)
    _add_bridge_parameters(wrapper)


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


def _configuration(module, options):
    """The configuration that the options of a command give.

    Raises
    ------
    ConfigError
        It cannot be built, or an option is one of the other module.
    """
    names = {each: [field.name for field in dataclasses.fields(kind)]
             for each, kind in MODULES.items()}
    names["core"].append("preset")
    ours = names.pop(module)
    for name in (name for others in names.values() for name in others if name in options):
        raise ConfigError(f"the {module} has no option {_option(name)}; "
                          f"choose among {', '.join(map(_option, ours))}")
    changes = {name: value for name, value in options.items() if name in ours}
    if module == "bridge":
        return BridgeConfig(**changes)
    return PRESETS[changes.pop("preset", "default")].with_(**changes)


def _text(command, config, options):
    """What a command writes."""
    if command == "template":
        return template(config, options["language"])
    if command == "bridge":
        return bridge_verilog(config, options["checked"])
    return verilog(config, options["checked"], options["covered"])


def _output(command, module, config, options):
    """The file to write. That of the default configuration gets no other one by oversight: make
    would not notice, and everything that uses it would have the wrong core.

    Raises
    ------
    ConfigError
        None was named, and it is not the default configuration.
    """
    if "output" in options:
        return options["output"]
    if command == "template":
        return Path(f"build/{module_of(config)}_wrapper.{LANGUAGES[options['language']][1]}")
    default = FILES_OF_DEFAULT[module]
    if config != MODULES[module]() or options["checked"] or options.get("covered"):
        raise ConfigError(f"{default} is the file of the default configuration; choose another "
                          "one for this with --output")
    return default


@command
def main(arguments=None):
    """Run the command line; returns the exit status."""
    # What is made here stays until it is written. To look for garbage among it takes a sixth of
    # the time.
    gc.set_threshold(200_000, 20, 100)
    parser = _parser()
    options = vars(parser.parse_args(arguments))
    if options["command"] == "files":
        return _tell_files(parser, options["name"])
    module = options.get("module", "bridge" if options["command"] == "bridge" else "core")
    try:
        config = _configuration(module, options)
        output = _output(options["command"], module, config, options)
    except ConfigError as error:
        parser.exit(2, f"siommu: {error}\n")
    try:
        text = _text(options["command"], config, options)
    except YosysError as error:         # it writes temporary files, for instance on a full disk
        reason = str(error).strip().splitlines() or ["no reason given"]
        parser.exit(1, f"siommu: Yosys cannot make the Verilog: {reason[-1]}\n")
    write_whole(output, text)
    print(f"siommu: wrote {output} ({len(text.splitlines())} lines) for {config}",
          file=sys.stderr)
    return 0
