"""The configuration of a board image, validated where it is made."""

from dataclasses import dataclass

from siommu.arch.config import Config, ConfigError

__all__ = ["ImageConfig"]


@dataclass(frozen=True)
class ImageConfig:
    """Parameters of one image.

    Parameters
    ----------
    core : Config
        With 64 bits of AXI data.
    khz : int
        The clock.
    baud : int
        Bits per second on the line.
    log2 : int
        Bytes of the memory, as a power of two.

    Raises
    ------
    ConfigError
        It cannot be built.
    """

    core: Config
    khz: int = 50_000
    baud: int = 115_200
    log2: int = 18

    def __post_init__(self):
        if self.core.axi_data_width != 64:
            raise ConfigError(f"the board's memory has 64 bits, but axi_data_width is "
                              f"{self.core.axi_data_width}; choose another preset")
        if not 12 <= self.log2 <= 24:
            raise ConfigError(f"a memory of 2^{self.log2} bytes cannot be built; choose 12 to 24")
        if self.baud <= 0 or self.divider < 4:
            raise ConfigError(f"{self.baud} baud are too fast for a clock of {self.khz} kHz; "
                              f"choose {self.khz * 250} or less")
        if abs(self.khz * 1000 / self.divider / self.baud - 1) > .02:
            raise ConfigError(f"{self.baud} baud cannot be divided from {self.khz} kHz; "
                              f"{self.khz * 1000 // self.divider} are the nearest")

    @property
    def divider(self):
        """Cycles of a bit on the line."""
        return round(self.khz * 1000 / self.baud)
