"""Which set of a store a key belongs to, and which of a key's bits an invalidation compares."""

from amaranth import C, Cat
from amaranth.lib import data

__all__ = ["ignored_pairs", "pair_count", "space_index"]


def space_index(number, key, bits):
    """A set for ``number`` (of a line or a region) in the address space of ``key``.

    Neighbouring numbers get different sets. The low bits of PASID and device, which differ most,
    go to the upper end of the index, so that spaces that use the same addresses spread too.
    """
    if not bits:
        return C(0, 1)
    sums = [[] for _ in range(bits)]        # as sums of many bits, which are made trees of
    for place, bit in enumerate(number):
        sums[place % bits].append(bit)
    for place, bit in enumerate(key.pasid):
        sums[-1 - place % bits].append(bit)
    for place, bit in enumerate(key.device):
        sums[(-2 - place) % bits].append(bit)
    sums[bits // 2].append(key.ft)
    return Cat(Cat(terms).xor() for terms in sums)


def pair_count(key):
    """How many pairs of bits the Struct ``key`` has, the last one perhaps of one bit."""
    return -(-data.Layout.cast(key).size // 2)


def ignored_pairs(invalidation, key, low):
    """The pairs of bits of a ``key`` (a Struct: LineKey, RegionKey) that an invalidation does not
    look at. The key's last field holds an address from page bit ``low`` on."""
    chosen = {"ft": invalidation.by_ft, "device": invalidation.by_device,
              "pasid": invalidation.by_pasid}
    pairs, n = {}, invalidation.n
    for name, field in data.Layout.cast(key):
        for bit in range(field.offset, field.offset + field.width):
            # ``canonical`` is 1 in everything that is stored
            if name in chosen:
                pairs[bit // 2] = ~chosen[name]
            elif name != "canonical":
                top = low + (bit - field.offset | 1)        # page bit of the pair's upper half
                pairs[bit // 2] = ~invalidation.by_addr | (n > top - 1)
    return Cat(pairs[number] for number in sorted(pairs))
