"""The files that are generated from the declarations, and kept in the repository.

``make generate`` writes them; ``tests/generated`` fails when one of them is stale.
"""

from pathlib import Path

from . import documents, header, ipxact, pictures, registers, templates

__all__ = ["ROOT", "OUTPUTS", "generate"]

ROOT = Path(__file__).resolve().parents[2]

#: Path in the repository to the function that writes the file to a path.
OUTPUTS = {
    "hdl/include/siommu_regs.h": registers.write_c_header,
    "hdl/include/siommu.h": header.write,
    "hdl/ipxact/siommu.xml": ipxact.write,
    **templates.OUTPUTS,
    "docs/registers.md": documents.write_registers,
    "docs/formats.md": documents.write_formats,
    "docs/pictures/pipeline.svg": pictures.write_pipeline,
    "docs/pictures/tables.svg": pictures.write_tables,
    "docs/pictures/read.svg": pictures.write_read,
    "docs/pictures/fence.svg": pictures.write_fence,
    "docs/pictures/linux.svg": pictures.write_linux,
}


def generate(folder=ROOT):
    """Writes every generated file under ``folder``; returns their paths."""
    paths = []
    for name, write in OUTPUTS.items():
        path = Path(folder) / name
        write(path)
        paths.append(path)
    return paths
