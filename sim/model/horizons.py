"""What invalidations cover, and since when what a core has read counts (§6)."""

from dataclasses import dataclass

__all__ = ["Horizons", "Scope"]


@dataclass(frozen=True)
class Scope:
    """What an INVAL covers (§6); ``None`` is any.

    Parameters
    ----------
    device, pasid, ft : int or None
    page : int or None
        The first page's number; 2^``log2`` pages.
    log2 : int
    context : bool
        INVAL_CONTEXT: device entries and contexts as well.
    """

    device: int = None
    pasid: int = None
    ft: int = None
    page: int = None
    log2: int = 0
    context: bool = False

    def key(self, access, page):
        """What ``access`` to ``page`` has in the fields that this scope selects."""
        return tuple(value for wanted, value in (
            (self.device, access.device), (self.pasid, access.pasid), (self.ft, access.ft),
            (self.page, page >> self.log2)) if wanted is not None)

    def own_key(self):
        """The same of the scope itself."""
        page = None if self.page is None else self.page >> self.log2
        return tuple(value for value in (self.device, self.pasid, self.ft, page)
                     if value is not None)

    def shape(self):
        """Which fields it selects; scopes of one shape are looked up together."""
        return (self.device is None, self.pasid is None, self.ft is None, self.page is None,
                self.log2, self.context)


class Horizons:
    """The cycle before which a read may not be rested on, by what was invalidated."""

    def __init__(self):
        self._flushed = 0
        self._shapes = {}               # shape -> (a scope, key -> cycle)

    def flush(self, cycle):
        """Nothing that was read before ``cycle`` counts any more."""
        self._flushed = max(self._flushed, cycle)
        self._shapes.clear()

    def add(self, scope, cycle):
        """What ``scope`` covers and was read before ``cycle`` does not count any more."""
        _, cycles = self._shapes.setdefault(scope.shape(), (scope, {}))
        key = scope.own_key()
        cycles[key] = max(cycle, cycles.get(key, 0))

    def of(self, access, page):
        """(horizon of contexts, horizon of page tables) of ``access`` to ``page``, a number."""
        context = table = self._flushed
        for scope, cycles in self._shapes.values():
            cycle = cycles.get(scope.key(access, page), 0)
            table = max(table, cycle)
            if scope.context:
                context = max(context, cycle)
        return context, table
