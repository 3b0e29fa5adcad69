"""From a configuration to Verilog text."""

import re

from amaranth.back import verilog as _verilog

from .config import Config
from .top import Siommu

__all__ = ["verilog"]

#: Yosys's dummy that each ``always @*`` reads, so that the block runs once at time 0.
_TRIGGER = re.compile(r"^(  reg )(\\\$auto\$verilog_backend\S+ ) = 0;$", re.M)


def verilog(config: Config) -> str:
    """Verilog of the module ``siommu``: the same bytes for the same configuration.

    Source locations are left out, so that the text does not depend on where it was made.

    A combinational block whose inputs never change must still run once. Yosys makes a dummy with
    an initial value for it to wait for; SystemVerilog simulators set initial values before any
    block waits, and would leave its outputs unknown. So the dummy is assigned in an ``initial``
    block instead, without blocking: after every block waits.
    """
    text = _verilog.convert(Siommu(config), name="siommu", emit_src=False,
                            strip_internal_attrs=True)
    return _TRIGGER.sub(r"\1\2;\n  initial \2<= 0;", text)
