"""Points of coverage, mapped back to the modules of the design."""

import re
from dataclasses import dataclass, field

from amaranth.hdl import Fragment
from amaranth.lib import wiring

from siommu.generate.names import hierarchy
from siommu.lib.cover import PREFIX

from .exceptions import EXCEPTIONS

__all__ = ["Measured", "Module", "Ratio", "measure", "sources"]

_MODULE = re.compile(r"^module (\w+)")
_COVER = re.compile(rf"\s*cover \({PREFIX}__(\w+)\);")
#: What covers add to the Verilog: that is not the product's.
_OF_COVERS = re.compile(rf"\b{PREFIX}__|^\s*if \(1'h1\) begin$")
_BIT = re.compile(r"(\[\d+\])?:\d->\d$")


@dataclass
class Ratio:
    """How many of how many."""

    hit: int = 0
    all: int = 0

    def add(self, hit):
        """Counts one more, which was ``hit`` or not."""
        self.hit, self.all = self.hit + bool(hit), self.all + 1

    def __iadd__(self, other):
        self.hit, self.all = self.hit + other.hit, self.all + other.all
        return self

    @property
    def percent(self):
        """Of what is not there, all."""
        return 100 * self.hit / self.all if self.all else 100.0


@dataclass
class Module:
    """A Verilog module.

    Attributes
    ----------
    place : str
        Where it stands in the design: instances from the core on, with dots.
    line, branch, toggle : Ratio
    missed : list of (int, str)
        Lines that were never executed, and that no exception explains.
    still : dict
        Signals with bits that never changed in one of the directions, to how many.
    """

    place: str
    line: Ratio = field(default_factory=Ratio)
    branch: Ratio = field(default_factory=Ratio)
    toggle: Ratio = field(default_factory=Ratio)
    missed: list = field(default_factory=list)
    still: dict = field(default_factory=dict)


@dataclass
class Measured:
    """Coverage of a design.

    Attributes
    ----------
    modules : list of Module
        The worst ones first: by lines, then branches, then toggles.
    total : Module
        All of them together.
    covers : dict
        Named covers inside the core, as sentences, to counts.
    used : dict
        Exceptions to the lines that they explain, as (place, number, text).
    """

    modules: list
    total: Module
    covers: dict
    used: dict


def _owners(text):
    """By line, from 0: the Verilog module that the line is in."""
    owners, name = [None], None
    for line in text.splitlines():
        found = _MODULE.match(line)
        name = found[1] if found else name
        owners.append(name)
    return owners


def _sentence(words):
    """``walk__flush__is_over`` is ``walk: flush, is over``."""
    first, *others = words.replace("_", " ").split("  ")
    return f"{first}: {', '.join(others)}" if others else first


def measure(text, points, exceptions=EXCEPTIONS):
    """Returns the ``Measured`` of the Verilog ``text``.

    Parameters
    ----------
    text : str
    points : iterable of Point
    exceptions : tuple of Explained
        What explains a line that was not executed. Its lines and branches are left out.
    """
    owners, lines = _owners(text), ["", *text.splitlines()]
    places = hierarchy(text)
    modules = {name: Module(place) for name, place in places.items()}
    covers, branches, executed = {}, [], {}
    for point in points:
        module = modules[owners[point.line]]
        if point.kind != "user" and _OF_COVERS.search(lines[point.line]):
            continue
        if point.kind == "toggle":
            module.toggle.add(point.count)
            if not point.count:
                signal = _BIT.sub("", point.what).replace("___05F", "__")   # as Verilator writes it
                module.still[signal] = module.still.get(signal, 0) + 1
        elif point.kind == "user":
            name = _sentence(_COVER.match(lines[point.line])[1])
            covers[name] = covers.get(name, 0) + point.count
        else:
            for line in point.lines:
                if _OF_COVERS.search(lines[line]):
                    continue
                executed[line] = executed.get(line, 0) + point.count
            if point.of_a_branch:
                branches.append(point)
    used, explained = {exception: [] for exception in exceptions}, set()
    for number, count in sorted(executed.items()):
        module = modules[owners[number]]
        reason = None if count else next(
            (each for each in exceptions if each.explains(module.place, lines[number])), None)
        if reason:
            used[reason].append((module.place, number, lines[number].strip()))
            explained.add(number)
            continue
        module.line.add(count)
        if not count:
            module.missed.append((number, lines[number].strip()))
    for point in branches:
        if point.line not in explained:
            modules[owners[point.line]].branch.add(point.count)
    total = Module("all")
    for module in modules.values():
        for name in ("line", "branch", "toggle"):
            ratio = getattr(total, name)
            ratio += getattr(module, name)
    ordered = sorted(modules.values(), key=lambda module: (
        module.line.percent, module.branch.percent, module.toggle.percent, module.place))
    return Measured(ordered, total, dict(sorted(covers.items())), used)


def sources(component, place="siommu"):
    """Python module of each component of a design, by place; ``component`` is the uppermost one."""
    found = {}

    def walk(fragment, place):
        found.update((place, type(origin).__module__) for origin in fragment.origins or ()
                     if isinstance(origin, wiring.Component))
        for inner, name, *_ in fragment.subfragments:
            walk(inner, f"{place}.{name}")
    walk(Fragment.get(component, None), place)
    return found
