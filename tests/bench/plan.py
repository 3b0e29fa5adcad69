"""Which simulations measure which figure, on which configurations."""

from dataclasses import dataclass, field, fields

from siommu.arch.config import Config

__all__ = ["FIGURES", "Simulation", "plan"]

HAS_L2 = "l2_entries" in {each.name for each in fields(Config)}

#: Figure (a number, or a word for what has no bar) to what it is about.
FIGURES = {
    "1": "first-level hits", "2": "second-level hits", "3": "misses, upper levels cached",
    "4": "misses, everything cold", "5": "misses at the same time", "6": "hits beside misses",
    "7": "requests for one page", "8": "requests of 256 pages", "9": "shares of the ports",
    "10": "the emulated SSD", "hits": "other hits", "contexts": "misses, contexts cached alone",
    "fairness": "a lone miss beside a flood",
    "prefetch": "prefetches of what is absent", "working set": "working sets",
    "bridge": "the translating bridge",
}

#: Test in ``measure`` to the figures that it measures.
MEASURES = {"hits": ("1",), "second_level": ("2",), "warm_misses": ("3",),
            "cold_misses": ("4", "contexts"), "overlapping": ("5",), "hits_beside_misses": ("6",),
            "merging": ("7",), "long_requests": ("8",), "shares": ("9",), "more_hits": ("hits",),
            "lone_miss": ("fairness",), "prefetches": ("prefetch",)}
#: The same in ``riscv_tables``, for RISC-V tables.
RISCV = {"riscv_warm_misses": "3", "riscv_cold_misses": "4", "riscv_long_requests": "8"}
#: What else figure 5 is measured on: fewer and more walks, wider buses.
MISSES_ON = (*(f"default+walks={walks}" for walks in (1, 2, 4, 16)), "default+axi_data_width=128",
             "default+walks=16+axi_data_width=128", "default+walks=16+axi_data_width=512")


@dataclass
class Simulation:
    """Cocotb tests of one module on one configuration; ``bridge``: with the bridge on ``dev0``."""

    module: str
    config: str
    tests: list
    env: dict = field(default_factory=dict)
    bridge: bool = False


def plan(only=()):
    """The simulations that measure the figures in ``only`` (all of them without).

    Raises
    ------
    ValueError
        There is no such figure.
    """
    for figure in only:
        if figure not in FIGURES:
            raise ValueError(f"there is no figure {figure!r}; choose among {', '.join(FIGURES)}")

    def wanted(*figures):
        return not only or any(figure in only for figure in figures)
    made = []
    tests = [test for test, figures in MEASURES.items() if wanted(*figures)]
    if tests:
        made.append(Simulation("measure", "default", tests))
    tests = [test for test, figure in RISCV.items() if wanted(figure)]
    if tests:
        made.append(Simulation("riscv_tables", "default", tests))
    if wanted("10"):
        made += [Simulation("ssd", "default", ["ssds"], {"BENCH_SSDS": "1-2"}),
                 Simulation("ssd", "large", ["ssds"], {"BENCH_SSDS": "3-4"})]
    if wanted("working set"):
        made.append(Simulation("working_set", "default", ["working_sets"]))
    if wanted("bridge"):
        made.append(Simulation("bridge", "default", ["bursts"], bridge=True))
    if wanted("5"):
        made += [Simulation("measure", config, ["overlapping"]) for config in MISSES_ON]
    return made
