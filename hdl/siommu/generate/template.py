"""Instantiation templates: a wrapper around a module, in Verilog or in VHDL.

A wrapper has the ports of the module and one instance of it. So it is whole as it stands: tools
read it, and who needs the instance alone copies that.
"""

import re
import textwrap

from .ports import module_of, ports_of

__all__ = ["LANGUAGES", "template"]

#: Beginning of the names of ports that belong together, and what they are. ``{}`` is the beginning.
_GROUPS = {
    "siommu": (
        (r"clk$|rst$", "One clock; a synchronous reset, active high"),
        (r"(?:dev\d+|cpu)_req_", "{}*: translation requests (§2.1)"),
        (r"(?:dev\d+|cpu)_rsp_", "{}*: their answers (§2.1)"),
        (r"m_axi_", "AXI4 master, to main memory (§2.2)"),
        (r"s_axil_", "AXI4-Lite slave, the registers (§2.3)"),
        (r"irq_", "Interrupts, active high, level (§2.4)"),
    ),
    "siommu_axi_bridge": (
        (r"clk$|rst$", "One clock; a synchronous reset, active high"),
        (r"s_axi_", "AXI4 slave, for the device (§9)"),
        (r"m_axi_", "AXI4 master, to main memory (§9)"),
        (r"mmu_", "To a device port of the module siommu (§9, §2.1)"),
        (r"fault$", "A refused burst (§9)"),
    ),
}


def _groups(module, ports):
    """[(what they are, ports)] in their order."""
    groups = []
    for port in ports:
        found, text = next((re.match(pattern, port.name), text) for pattern, text in _GROUPS[module]
                           if re.match(pattern, port.name))
        text = text.format(found[0])
        if not groups or groups[-1][0] != text:
            groups.append((text, []))
        groups[-1][1].append(port)
    return groups


def _listing(groups, line, comment, separator, indent):
    """One line for each port, and one for each group; no separator behind the last port."""
    lines = []
    for text, ports in groups:
        lines.append(f"{comment} {text}")
        lines += [line(port) + separator for port in ports]
    lines[-1] = lines[-1].removesuffix(separator)
    return "\n".join(indent + text for text in lines)


def _head(module, config, language, comment):
    """The comment on top."""
    return "\n".join(textwrap.wrap(
        f"The module {module} in a wrapper with the same ports: copy the instance, or give the "
        f"wrapper's ports the names of your design. `siommu template --language {language}` wrote "
        f"it for {config!r}; the sections (§) are those of docs/specification.md.", 100,
        initial_indent=comment, subsequent_indent=comment))


def _verilog(module, config, groups):
    def declared(port):
        width = f"[{port.width - 1}:0]" if port.width > 1 else ""
        return f"{port.direction + 'put':6} wire {width:>7} {port.name}"

    def connected(port):
        return f".{port.name}({port.name})"
    return f"""\
{_head(module, config, "verilog", "// ")}

`default_nettype none

module {module}_wrapper (
{_listing(groups, declared, "//", ",", "    ")}
);

{module} {module} (
{_listing(groups, connected, "//", ",", "    ")}
);

endmodule

`default_nettype wire
"""


def _vhdl(module, config, groups):
    longest = max(len(port.name) for _, ports in groups for port in ports)

    def declared(port):
        kind = f"std_logic_vector({port.width - 1} downto 0)" if port.width > 1 else "std_logic"
        return f"{port.name:{longest}} : {port.direction:3} {kind}"

    def connected(port):
        return f"{port.name:{longest}} => {port.name}"
    return f"""\
{_head(module, config, "vhdl", "-- ")}

library ieee;
use ieee.std_logic_1164.all;

entity {module}_wrapper is
    port (
{_listing(groups, declared, "--", ";", " " * 8)}
    );
end entity {module}_wrapper;

architecture wrapper of {module}_wrapper is

    component {module} is
        port (
{_listing(groups, declared, "--", ";", " " * 12)}
        );
    end component {module};

begin

    instance : component {module}
        port map (
{_listing(groups, connected, "--", ",", " " * 12)}
        );

end architecture wrapper;
"""


#: Language to (the function that writes it, how its files end).
LANGUAGES = {"verilog": (_verilog, "v"), "vhdl": (_vhdl, "vhd")}


def template(config, language):
    """A wrapper around the module of ``config``, a ``Config`` or a ``BridgeConfig``, as text.

    ``language`` is one of ``LANGUAGES``.
    """
    module, (write, _) = module_of(config), LANGUAGES[language]
    return write(module, config, _groups(module, ports_of(config)))
