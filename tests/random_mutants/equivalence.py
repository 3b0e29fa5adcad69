"""Whether a mutant can be told from the design at all.

The module that is mutated is compared with itself: its registers, its memories and the ports of
the modules inside of it count as inputs and outputs. If no value of the inputs gives another
output, the mutant does the same in every state, and no test can notice it. If one does, that says
little: the state may be one that is never reached.
"""

from fpga import tools
from siommu.generate.names import hierarchy

from ..support.flattened import PREPARE

__all__ = ["equivalent"]

LIMIT = 90          #: seconds: a large memory is a problem that takes hours to write down alone
#: A mutant at the output of a register cuts it from the name by which the two are compared.
_CUT = "No matching port in gate module"
#: Cells alone are exposed: all wires would be, those between two gates as well.
_SCRIPT = """\
{prepare}
copy {module} gold
copy {module} gate
{command}
select -clear
memory_map gold gate
opt_clean gold gate
expose -evert -evert-dff gold/c:* gate/c:*
miter -equiv -make_assert -flatten gold gate miter
opt_clean miter
tee -o verdict.txt sat -prove-asserts miter
"""


def equivalent(verilog, mutant):
    """Whether ``mutant`` of the text ``verilog`` is shown to change nothing."""
    modules = {place: name for name, place in hierarchy(verilog).items()}
    module = modules[f"siommu.{mutant.place}" if mutant.place else "siommu"]
    command = f"mutate -mode {mutant.mode} -module gate -cell {mutant.cell} -port {mutant.port} " \
        f"-portbit {mutant.bit}"
    if mutant.mode.startswith("cnot"):
        command += f" -ctrlbit {mutant.control}"
    script = _SCRIPT.format(prepare=PREPARE.replace("; ", "\n"), module=module, command=command)
    try:
        folder = tools.yosys(script.strip().replace("\n", "; "), {"siommu.v": verilog},
                             ["verdict.txt"], LIMIT)
    except tools.TooLong:
        return False
    except tools.FlowError as error:
        if _CUT not in str(error):
            raise
        return False
    return "proof finished - no model found: SUCCESS" in (folder / "verdict.txt").read_text()
