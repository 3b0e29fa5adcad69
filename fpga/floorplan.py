"""Where the block RAMs of a netlist go on the LFE5U-85F.

A block RAM answers 4 ns after the clock, and the device has them in four rows far apart. nextpnr
scatters them, and what they belong to follows. So they get their places here, in a box of a few
rows and columns that is about square; nextpnr places everything else around them.

Which ones should be near to each other is found by random walks over the netlist, from one to the
others; which one goes where, by annealing.
"""

import math
import random
from collections import defaultdict

__all__ = ["arranged", "attraction", "block_ram_box", "plan"]

#: Sites of the LFE5U-85F: X of the first of four in a row that are two apart; rows by how many of
#: them are used, those next to each other first.
GROUPS = *range(4, 59, 9), *range(69, 115, 9)
ROWS = {1: (70,), 2: (70, 82), 3: (46, 70, 82), 4: (22, 46, 70, 82)}
GROUP = 4               #: sites of a group

WIDEST = 40             #: cells of a net over which walks pass; a wider one leads everywhere
HOPS = 40               #: from cell to cell, at most
FAINT = 1e-6            #: of a walk: it is given up

SEED = 1                #: of the annealing: the same netlist gets the same plan
STEPS = 400             #: of its temperature
COLDEST = 1 / 2000      #: the last one, beside the first


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


def attraction(cells, rams):
    """How much each of ``rams`` (names) is drawn to each other one: a matrix, symmetric. It is how
    many of the walks that begin at one end at the other, in ``HOPS``; one begins for each net."""
    numbers = {name: number for number, name in enumerate(cells)}
    joined = defaultdict(set)
    for name, cell in cells.items():
        for bits in cell["connections"].values():
            for bit in bits:
                if isinstance(bit, int):        # not a constant
                    joined[bit].add(numbers[name])
    nets = [sorted(net) for net in joined.values() if 2 <= len(net) <= WIDEST]
    of_cell = [[] for _ in numbers]
    for number, net in enumerate(nets):
        for cell in net:
            of_cell[cell].append(number)
    order = {numbers[name]: place for place, name in enumerate(rams)}
    arrived = [[0.0] * len(rams) for _ in rams]
    for ram, place in order.items():
        walks = {ram: float(len(of_cell[ram]))}
        for _ in range(HOPS):
            walks = _hop(walks, of_cell, nets)
            for other in order.keys() & walks.keys() - {ram}:
                arrived[place][order[other]] += walks.pop(other)
    return [[one + arrived[column][row] for column, one in enumerate(line)]
            for row, line in enumerate(arrived)]


def _hop(walks, of_cell, nets):
    """Every walk goes over any net of its cell, to any cell of that."""
    over = defaultdict(float)
    for cell, weight in walks.items():
        for net in of_cell[cell]:
            over[net] += weight / len(of_cell[cell])
    reached = defaultdict(float)
    for net, weight in over.items():
        for cell in nets[net]:
            reached[cell] += weight / len(nets[net])
    return {cell: weight for cell, weight in reached.items() if weight > FAINT}


def arranged(pull, sites):
    """A site for each block RAM, so that those that ``pull`` each other are near. Two sites
    exchange what they hold, if anything; what is worse is done less and less often."""
    rng, count = random.Random(SEED), len(pull)
    distances = [[abs(x - other_x) + abs(y - other_y) for other_x, other_y, _ in sites]
                 for x, y, _ in sites]
    holds = [ram if ram < count else None for ram in range(len(sites))]
    at = list(range(count))

    def cost(ram, site):
        far, attracted = distances[site], pull[ram]
        return sum(attracted[other] * far[at[other]] for other in range(count) if other != ram)

    now = sum(cost(ram, ram) for ram in range(count)) / 2
    best, found = now, list(at)
    heat = now / count
    for _ in range(STEPS):
        for _ in range(4 * len(sites)):
            site, other = rng.randrange(len(sites)), rng.randrange(len(sites))
            moving = [(ram, old, new) for ram, old, new in (
                (holds[site], site, other), (holds[other], other, site)) if ram is not None]
            if site == other or not moving:
                continue
            before = sum(cost(ram, old) for ram, old, _ in moving)
            for ram, _, new in moving:
                at[ram] = new
            worse = sum(cost(ram, new) for ram, _, new in moving) - before
            if worse <= 0 or rng.random() < math.exp(-worse / heat):
                holds[site], holds[other], now = holds[other], holds[site], now + worse
                if now < best:
                    best, found = now, list(at)
            else:
                for ram, old, _ in moving:
                    at[ram] = old
        heat *= COLDEST ** (1 / STEPS)
    return [sites[place] for place in found]


def plan(design):
    """Gives every block RAM of a netlist (Yosys's JSON, module ``top``) its place; returns the
    netlist."""
    cells = design["modules"]["top"]["cells"]
    rams = sorted(name for name, cell in cells.items() if cell["type"] == "DP16KD")
    if rams:
        places = arranged(attraction(cells, rams), block_ram_box(len(rams)))
        for ram, (x, y, index) in zip(rams, places):
            cells[ram].setdefault("attributes", {})["BEL"] = f"X{x}/Y{y}/EBR{index}"
    return design
