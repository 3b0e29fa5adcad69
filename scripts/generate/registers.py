"""The C header of the registers, as the PeakRDL exporter makes it of ``siommu.rdl``."""

from peakrdl_cheader.c_standards import CStandard
from peakrdl_cheader.exporter import CHeaderExporter

from siommu.arch.register_map import root
from siommu.generate.files import whole

__all__ = ["write_c_header"]


def write_c_header(path):
    """Masks and positions of the registers' fields, and a struct of the registers."""
    # Names by register, not by type: otherwise registers of one kind share a name with a hash.
    # The older standard, because for the newer ones the header would include assert.h.
    with whole(path) as scratch:
        CHeaderExporter().export(root().top, str(scratch), reuse_typedefs=False,
                                 std=CStandard.gnu99)
