"""What the PeakRDL exporters make of ``siommu.rdl``."""

from peakrdl_cheader.c_standards import CStandard
from peakrdl_cheader.exporter import CHeaderExporter
from peakrdl_ipxact.exporter import IPXACTExporter

from siommu.arch.register_map import register, root
from siommu.generate.files import whole

__all__ = ["write_c_header", "write_ipxact"]


def write_c_header(path):
    """Masks and positions of the registers' fields, and a struct of the registers."""
    # Names by register, not by type: otherwise registers of one kind share a name with a hash.
    # The older standard, because for the newer ones the header would include assert.h.
    with whole(path) as scratch:
        CHeaderExporter().export(root().top, str(scratch), reuse_typedefs=False,
                                 std=CStandard.gnu99)


def write_ipxact(path):
    """The registers for tools that read IP-XACT (IEEE 1685-2014)."""
    version = register("VERSION")
    exporter = IPXACTExporter(
        vendor="siommu", library="siommu",
        version=f"{version.field('MAJOR').reset}.{version.field('MINOR').reset}")
    with whole(path) as scratch:
        exporter.export(root().top, str(scratch))
