"""From a configuration to Verilog text."""

from amaranth.back import verilog as _verilog

from .config import Config
from .top import Siommu

__all__ = ["verilog"]


def verilog(config: Config) -> str:
    """Verilog of the module ``siommu``: the same bytes for the same configuration.

    Source locations are left out, so that the text does not depend on where it was made.
    """
    return _verilog.convert(Siommu(config), name="siommu", emit_src=False,
                            strip_internal_attrs=True)
