"""The worst core that the specification allows, as a model: it forgets nothing until it must."""

from dataclasses import replace

from sim.model.golden import GoldenModel
from siommu.arch.formats import Mode

__all__ = ["CachingModel"]

PAGE = 4096


class _CachedWalk:
    """Reads entries as ``_Walk`` does, but from the cache where it has them."""

    def __init__(self, walk, model, access, addr):
        self._walk = walk
        self._model = model
        self._access = access
        self._addr = addr
        self.used = False
        self.seen = {}

    def __getattr__(self, name):
        return getattr(self._walk, name)

    def __setattr__(self, name, value):
        if name == "quiet":
            self._walk.quiet = value
        else:
            super().__setattr__(name, value)

    def read(self, level, addr, words):
        access = self._access
        owner = access.device, access.pasid
        if level > 5:
            key = "context", *owner, level, addr
        else:
            shift = 12 + 9 * (level - 1)
            key = "tlb", *owner, access.ft, level, self._addr >> shift << shift, addr
        if key in self._model.cache:
            self.used = True
            self._walk.level, self._walk.entry_addr = level, addr
            return self._model.cache[key]
        self.seen[key] = values = self._walk.read(level, addr, words)
        return values


class CachingModel(GoldenModel):
    """A golden model that keeps every grant, and every entry that led to it: contexts, upper
    levels, leaves. Either is used without the other.

    A fault never comes from what is kept (§4): the entries are read again then.

    Attributes
    ----------
    cache : dict
        ("context", device, PASID, level, entry) or ("tlb", device, PASID, FT, level, virtual
        address, entry), to what was read; level 0 is a grant.
    """

    def __init__(self, memory):
        super().__init__(memory)
        self.cache = {}
        self._walk = None

    def _begin(self, access, addr):
        self._walk = _CachedWalk(super()._begin(access, addr), self, access, addr)
        return self._walk

    def translate_page(self, access, k):
        addr = access.addr + PAGE * k & (1 << 64) - 1
        offset = addr % PAGE if not k else 0
        key = "tlb", access.device, access.pasid, access.ft, 0, addr // PAGE * PAGE, None
        grant = self.cache.get(key)
        if grant is not None and (grant.write if access.write else grant.read):
            return replace(grant, addr=grant.addr | offset)
        answer = super().translate_page(access, k)
        if not answer.granted and self._walk.used:
            kept, self.cache = self.cache, {}
            answer = super().translate_page(access, k)
            self.cache = kept
        if answer.granted and self.mode == Mode.TRANSLATE.value:
            self.cache.update(self._walk.seen)
            self.cache[key] = replace(answer, addr=answer.addr - offset)
        return answer

    def invalidated(self, command):
        """Drops what a command of ``GoldenControlPlane`` selects, and nothing else."""
        if command is None:
            self.cache.clear()
            return
        word0, word1 = command
        by_device, by_pasid, by_ft, by_addr = (word0 >> bit & 1 for bit in (8, 9, 10, 11))
        start, size = word1 & ~(PAGE - 1), PAGE << (word0 >> 52 & 63)

        def selected(key):
            kind, device, pasid, *rest = key
            if by_device and device != word0 >> 16 & 0xFFFF or \
                    by_pasid and pasid != word0 >> 32 & 0xFFFFF:
                return False
            if word0 & 0xFF == 2:
                return True
            if kind == "context":
                return False
            ft, level, addr, _ = rest
            span = PAGE << 9 * max(level - 1, 0)
            return (not by_ft or ft == word0 >> 12 & 1) and \
                (not by_addr or addr < start + size and start < addr + span)
        self.cache = {key: value for key, value in self.cache.items() if not selected(key)}
