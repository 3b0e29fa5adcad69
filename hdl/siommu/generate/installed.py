"""Files of the product that are no Python: where they are, in a checkout or once installed."""

import sysconfig
from pathlib import Path

__all__ = ["FILES", "MissingFile", "find"]

#: Name to (path in a checkout, what it is).
FILES = {
    "siommu.h": ("hdl/include/siommu.h", "C header: formats of tables, commands and records; it "
                                         "includes siommu_regs.h"),
    "siommu_regs.h": ("hdl/include/siommu_regs.h", "C header: registers and their fields"),
    "siommu.xml": ("hdl/ipxact/siommu.xml", "IP-XACT component"),
    "siommu.rdl": ("hdl/siommu/arch/siommu.rdl", "SystemRDL of the registers"),
}
CHECKOUT = Path(__file__).resolve().parents[3]
INSTALLED = "share/siommu"              #: below the environment's folder for data


class MissingFile(FileNotFoundError):
    """The installation is not whole. The message names what is missing, and where it was sought."""


def find(name):
    """The path of a file of ``FILES``.

    Raises
    ------
    KeyError
        There is no such file.
    MissingFile
        It is neither in a checkout nor installed.
    """
    in_checkout = CHECKOUT / FILES[name][0]
    installed = Path(sysconfig.get_path("data")) / INSTALLED / name
    for path in (in_checkout, installed):
        if path.is_file():
            return path
    raise MissingFile(f"{name} is missing: neither {in_checkout} nor {installed} is there; install "
                      f"siommu again")
