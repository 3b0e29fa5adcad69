"""From an image's configuration to Verilog text, for simulators."""

from amaranth.back import verilog as _verilog
from amaranth.hdl import Fragment, Value
from amaranth.hdl._ir import PortDirection
from amaranth.lib.wiring import In

from .image import Image

__all__ = ["image_verilog"]


def image_verilog(config):
    """Verilog of the module ``image``; the same bytes for the same configuration."""
    image = Image(config)
    ports = {name: (Value.cast(getattr(image, name)),
                    PortDirection.Input if member.flow == In else PortDirection.Output)
             for name, member in image.signature.members.items()}
    return _verilog.convert(Fragment.get(image, None), name="image", emit_src=False, ports=ports,
                            strip_internal_attrs=True)
