"""SIOMMU: an I/O memory management unit for storage and memory, in Amaranth."""

from .arch.config import Config, ConfigError

__all__ = ["Config", "ConfigError", "__version__"]

#: Version of the core, as the VERSION register reports it (major, minor).
__version__ = "1.0"
