"""Credits: how many operations may be in the core whose beats have no place in a port's queues yet.
"""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..lib.arithmetic import above, one_less, one_more
from ..lib.contract import require

__all__ = ["CreditAccount", "Credits"]

#: Credits that a new request leaves alone while something may be left of other requests. That may
#: take a credit in every cycle, and the account is compared a cycle ahead: one is taken to go in
#: this cycle and one in the next, and one more is kept.
KEPT = 3


class CreditAccount(wiring.Signature):
    """The credits of one port.

    Members
    -------
    begins, continues : Out(1)
        Takes a credit in this cycle: for a new request, for what is left of one.
    rests : Out(1)
        In the next cycle something may be left of a request and wait for a credit: then the last
        ones are kept for it.
    some : In(1)
        At least one credit is left.
    admits, admits_another : In(1)
        In the next cycle a new request may begin, if none does in this one; even if one does.
    """

    def __init__(self):
        super().__init__({"begins": Out(1), "continues": Out(1), "rests": Out(1), "some": In(1),
                          "admits": In(1), "admits_another": In(1)})


class Credits(wiring.Component):
    """Counts a port's credits, and says one cycle ahead whether there will be enough.

    Parameters
    ----------
    depth : int
        All credits.

    Members
    -------
    account : In(CreditAccount)
    returned : In(1)
        A credit comes back: it counts from the next cycle on, and for ``admits`` in this one.
    """

    def __init__(self, depth):
        self._depth = depth
        super().__init__({"account": In(CreditAccount()), "returned": In(1)})

    def elaborate(self, platform):
        m = Module()
        account, returned = self.account, self.returned
        unused = Signal(range(self._depth + 1), init=self._depth)
        self._count(m, unused)

        at_least = self._at_least(unused)

        def remain(number, kept=0):
            """Whether so many will be left in the next cycle; ``kept`` more if something rests.
            Whether one is taken to continue is known last."""
            def when(continues):
                least = number + continues
                return Mux(account.rests, *(Mux(account.begins, at_least[low + 1], at_least[low])
                                            for low in (least + kept, least)))
            return Mux(account.continues, when(1), when(0))

        # Without what is returned in that cycle: enough for two new requests, for one, for none.
        for_two, for_one, for_none = (Signal(init=1, name=f"for_{name}")
                                      for name in ("two", "one", "none"))
        some = Signal(init=1, name="some")
        m.d.comb += [
            account.some.eq(some),
            account.admits.eq(for_one | (returned & for_none)),
            account.admits_another.eq(for_two | (returned & for_one)),
        ]
        m.d.sync += [
            some.eq(remain(1)),
            for_two.eq(remain(2, kept=KEPT)), for_one.eq(remain(1, kept=KEPT)),
            for_none.eq(~account.rests | remain(KEPT)),
        ]
        require(m, account.begins + account.continues <= unused,
                "an operation enters with a credit for its beat")
        return m

    def _at_least(self, unused):
        """By number: whether there are so many, with what is returned in this cycle. To add one is
        the same, for these comparisons, as to set the last bit, or as to look at it only then."""
        odd, even = (Cat(last, unused[1:])
                     for last in (unused[0] | self.returned, unused[0] & self.returned))
        return {number: above(odd, number - 1) if number % 2 else above(even, number - 2)
                for number in range(1, 2 * KEPT + 2)}

    def _count(self, m, unused):
        """The account itself: all that may happen is computed before it is known what does."""
        account = self.account
        more, one_fewer = one_more(unused), one_less(unused)
        two_fewer = Cat(unused[0], one_less(unused[1:]))
        left = [Mux(self.returned, *each) for each in (     # by the number of those taken
            (more, unused), (unused, one_fewer), (one_fewer, two_fewer))]
        m.d.sync += unused.eq(Mux(account.continues, Mux(account.begins, left[2], left[1]),
                                  Mux(account.begins, left[1], left[0])))
