"""Reads nextpnr's timing report: the clock's frequency, its slowest path, and what else is slow."""

import re

__all__ = ["describe", "fmax", "slow_registers", "slowest_path"]

#: What Yosys and nextpnr append to the names of the source.
_SUFFIX = re.compile(r"(_(TRELLIS_FF|TRELLIS_DPR16X4|DP16KD|LUT4|PFUMX|L6MUX21|CCU2C)(_|$)"
                     r"|\$[A-Z]|_(DO|DI|AD|WDO)[AB]?\d*(_|\[|$)).*")
_MEMORY = re.compile(r"\.\d+\.\d+$")
_CLOCKED = re.compile("^posedge ")


def describe(name):
    """A cell's or a net's name in words: ``register `first` of `core.miss.queues```."""
    plain = _SUFFIX.sub("", name).removeprefix("siommu.")
    memory = _MEMORY.search(plain)
    plain = re.sub(r"\[\d+\]$", "", _MEMORY.sub("", plain))
    inside = name.startswith("siommu.")
    module, _, leaf = plain.rpartition(".")
    kind = "memory" if memory else "register"
    if not inside:
        return f"register `{plain}` at a port (harness)"
    return f"{kind} `{leaf}` of `{module or 'siommu'}`"


def _module(name):
    if not name.startswith("siommu."):
        return "harness"
    plain = _MEMORY.sub("", _SUFFIX.sub("", name)).removeprefix("siommu.")
    return plain.rpartition(".")[0] or "siommu"


def fmax(report):
    """Routed frequency of the clock in MHz."""
    return min(clock["achieved"] for clock in report["fmax"].values())


def slowest_path(report):
    """The clock's slowest path.

    Returns
    -------
    dict
        ``begin``, ``end`` in words; ``ns``, ``logic_ns``, ``routing_ns``; ``luts`` passed
        through; ``modules`` that its nets belong to, in order.
    """
    path = next(path["path"] for path in report["critical_paths"]
                if _CLOCKED.match(path["from"]) and _CLOCKED.match(path["to"]))
    modules = []
    for step in path:
        module = _module(step.get("net") or step["from"]["cell"])
        if modules[-1:] != [module]:
            modules.append(module)
    routing = sum(step["delay"] for step in path if step["type"] == "routing")
    total = sum(step["delay"] for step in path)
    return {"begin": describe(path[0]["from"]["cell"]), "end": describe(path[-1]["to"]["cell"]),
            "ns": total, "logic_ns": total - routing, "routing_ns": routing,
            "luts": sum(step["type"] == "logic" and step["delay"] > 0 for step in path),
            "modules": modules}


def slow_registers(report):
    """(nanoseconds, bits, register or memory in words) of all ends of paths, the slowest first.

    The bits of one register count as one; the time is that of the slowest.
    """
    worst = {}
    for net in report["detailed_net_timings"]:
        for end in net["endpoints"]:
            if _CLOCKED.match(end["event"]) and _CLOCKED.match(net["event"]):
                key = describe(end["cell"])
                time, cells = worst.get(key, (0, set()))
                worst[key] = max(time, end["delay"][1]), cells | {end["cell"]}
    return sorted(((time, len(cells), key) for key, (time, cells) in worst.items()), reverse=True)
