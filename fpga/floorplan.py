"""Where the block RAMs of a netlist go on the LFE5U-85F.

A block RAM answers 4 ns after the clock, and the device has them in four rows far apart. nextpnr
scatters them, and what they belong to follows. So they get their places here, in a box of a few
rows and columns that is about square; nextpnr places everything else around them.

Which one goes where is found in turns: with the block RAMs where they are, every other cell moves
to the middle of its nets; with these where they are, the block RAMs change places until each is
near to the middle of its own. (To draw together what is joined by few steps, and look no further,
gave a tenth less of frequency.)
"""

import math
from collections import defaultdict

__all__ = ["block_ram_box", "plan"]

#: Sites of the LFE5U-85F: X of the first of four in a row that are two apart; rows by how many of
#: them are used, those next to each other first.
GROUPS = *range(4, 59, 9), *range(69, 115, 9)
ROWS = {1: (70,), 2: (70, 82), 3: (46, 70, 82), 4: (22, 46, 70, 82)}
GROUP = 4               #: sites of a group

WIDEST = 40             #: cells of a net that says where they belong; a wider one is everywhere
TURNS = 12              #: of moving the cells, and of moving the block RAMs
MOVES = 40              #: of all cells in a turn


def block_ram_box(count):
    """Sites for ``count`` block RAMs, as (x, y, number in its group): the box that is nearest to a
    square, in the middle of its rows.

    Raises
    ------
    ValueError
        The device has fewer.
    """
    boxes = []
    for number, rows in ROWS.items():
        groups = math.ceil(count / (GROUP * number))
        if groups <= len(GROUPS):
            high = 12 + rows[-1] - rows[0]
            boxes.append((abs(math.log(9 * groups / high)), rows, groups))
    if not boxes:
        raise ValueError(f"the device has {GROUP * len(GROUPS) * len(ROWS)} block RAMs; "
                         f"{count} are needed")
    _, rows, groups = min(boxes)
    begin = (len(GROUPS) - groups) // 2
    return [(x + 2 * index, y, index) for y in rows for x in GROUPS[begin:begin + groups]
            for index in range(GROUP)]


class _Placement:
    """Where the cells of a netlist would like to be."""

    def __init__(self, cells, rams, sites):
        numbers = {name: number for number, name in enumerate(cells)}
        joined = defaultdict(set)
        for name, cell in cells.items():
            for bits in cell["connections"].values():
                for bit in bits:
                    if isinstance(bit, int):        # not a constant
                        joined[bit].add(numbers[name])
        self.nets = [sorted(net) for net in joined.values() if 2 <= len(net) <= WIDEST]
        self.weights = [1 / (len(net) - 1) for net in self.nets]
        self.of_cell = [[] for _ in numbers]
        for number, net in enumerate(self.nets):
            for cell in net:
                self.of_cell[cell].append(number)
        middle = tuple(sum(site[axis] for site in sites) / len(sites) for axis in (0, 1))
        self.at = [middle for _ in numbers]
        self.rams = [numbers[name] for name in rams]
        self.sites, self.free = dict(zip(self.rams, sites)), sites[len(rams):]

    def move_cells(self):
        """Every cell but the block RAMs goes to the middle of its nets, over and over."""
        for cell, site in self.sites.items():
            self.at[cell] = site[:2]
        for _ in range(MOVES):
            middles = [tuple(sum(self.at[cell][axis] for cell in net) / len(net)
                             for axis in (0, 1)) for net in self.nets]
            for cell, nets in enumerate(self.of_cell):
                if nets and cell not in self.sites:
                    self.at[cell] = self._middle((self.weights[net], middles[net])
                                                 for net in nets)

    @staticmethod
    def _middle(points):
        """The mean of (weight, (x, y))."""
        total = across = down = 0.0
        for weight, (x, y) in points:
            total, across, down = total + weight, across + weight * x, down + weight * y
        return across / total, down / total

    def _wanted(self, ram):
        """The middle of all that ``ram`` is joined to."""
        points = [(self.weights[net], self.at[cell]) for net in self.of_cell[ram]
                  for cell in self.nets[net] if cell != ram]
        return self._middle(points) if points else self.at[ram]

    def move_rams(self, stretch):
        """Block RAMs change places with each other, or with a free site, while that brings them
        nearer to where they want to be. All of them want to be in the middle: ``stretch``, from 0
        to 1, is how much of the box their order across and down is spread over instead."""
        every = [*self.sites.values(), *self.free]
        wanted, targets = {ram: self._wanted(ram) for ram in self.rams}, defaultdict(list)
        for axis in (0, 1):
            low, high = (limit(site[axis] for site in every) for limit in (min, max))
            last = max(len(self.rams) - 1, 1)
            for rank, ram in enumerate(sorted(self.rams, key=lambda ram: wanted[ram][axis])):
                spread = low + (high - low) * rank / last
                targets[ram].append((1 - stretch) * wanted[ram][axis] + stretch * spread)
        holds = {site: None for site in every} | {site: ram for ram, site in self.sites.items()}

        def far(ram, site):
            return 0 if ram is None else (abs(targets[ram][0] - site[0])
                                          + abs(targets[ram][1] - site[1]))
        moved = True
        while moved:
            moved = False
            for index, site in enumerate(every):
                for other in every[:index]:
                    one, two = holds[site], holds[other]
                    if (far(one, other) + far(two, site)
                            < far(one, site) + far(two, other) - 1e-9):
                        holds[site], holds[other], moved = two, one, True
        self.sites = {ram: site for site, ram in holds.items() if ram is not None}
        self.free = [site for site, ram in holds.items() if ram is None]


def plan(design):
    """Gives every block RAM of a netlist (Yosys's JSON, module ``top``) its place; returns the
    netlist. The same netlist gets the same plan."""
    cells = design["modules"]["top"]["cells"]
    rams = sorted(name for name, cell in cells.items() if cell["type"] == "DP16KD")
    if rams:
        placement = _Placement(cells, rams, block_ram_box(len(rams)))
        for turn in range(TURNS):
            placement.move_cells()
            placement.move_rams(max(0.0, 0.6 - 0.08 * turn))
        names = list(cells)
        for ram, (x, y, index) in placement.sites.items():
            cells[names[ram]].setdefault("attributes", {})["BEL"] = f"X{x}/Y{y}/EBR{index}"
    return design
