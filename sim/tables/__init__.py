"""Builders of all tables of §3, in one place to import from.

They only write memory. Whoever takes a right away with them must invalidate the core afterwards
(§4, "Caches only grant; only memory denies").
"""

from .directories import DeviceDirectory, PasidDirectory
from .file_tables import FileTable
from .page_tables import CHUNK, PageTable, TableError, span_bytes
from .riscv_tables import NAPOT_PAGES, RiscvTable

__all__ = ["CHUNK", "DeviceDirectory", "FileTable", "NAPOT_PAGES", "PageTable", "PasidDirectory",
           "RiscvTable", "TableError", "span_bytes"]
