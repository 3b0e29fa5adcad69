"""One model with all mutants: ``+mutant=n`` turns the nth of them on."""

from fpga import tools

from ..support.flattened import PREPARE, WRITE, behind_its_ports

__all__ = ["mutated"]

_INPUT, _SELECT = ", mutsel);", "mutsel"


def mutated(verilog, mutants):
    """Path of the flattened Verilog that holds all ``mutants``; without ``+mutant`` it does what
    ``verilog`` does. They count from 1."""
    bits = len(mutants).bit_length()
    script = [PREPARE, "flatten", "opt_clean"]
    script += [mutant.command.replace("mutate ", f"mutate -ctrl {_SELECT} {bits} {number} ", 1)
               for number, mutant in enumerate(mutants, 1)]
    script += [f"{WRITE} mutants.v"]
    made = tools.yosys("; ".join(script), {"siommu.v": verilog}, ["mutants.v"]) / "mutants.v"
    text = made.read_text()
    # An argument of the simulation instead of an input: the bench sees the ports of the core.
    for old, new in ((_INPUT, ");"), (f"  input [{bits - 1}:0] {_SELECT};\n", ""),
                     (f"  wire [{bits - 1}:0] {_SELECT};\n",
                      f"  reg [{bits - 1}:0] {_SELECT};\n"
                      f"  initial if (!$value$plusargs(\"mutant=%d\", {_SELECT})) "
                      f"{_SELECT} = {bits}'d0;\n")):
        if text.count(old) != 1:
            raise tools.FlowError(f"{made} has {old!r} {text.count(old)} times, and not once")
        text = text.replace(old, new)
    return behind_its_ports(text)
