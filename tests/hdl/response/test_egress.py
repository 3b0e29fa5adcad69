"""The exits of the ports: order, credits, marks, and faults that wait for their records."""

from collections import deque

import pytest

from siommu.response.credits import Credits
from siommu.response.egress import PortEgress, SoftwareEgress

from ...support.simulate import seeded, simulate


@pytest.mark.parametrize("enabled", [True, False])
def test_egress_keeps_the_order(enabled):
    """Beats of both paths leave in the order written, whole, once each; credits are exact. A beat
    that is alone is offered in the next cycle, whoever listened for a hit; what stands behind
    others waits three cycles at most."""
    depth = 8
    dut = PortEgress(depth)
    rng = seeded(f"egress/{enabled}")

    async def bench(ctx):
        ctx.set(dut.enable, enabled)
        promised, written, number = 0, deque(), 0
        was_stuck, returning, retired, rested = None, deque([0]), 0, False
        alone, idle, together = False, 0, 0
        for _ in range(3000):
            unused = depth - promised - len(written) - sum(returning)
            rests = rng.random() < .3
            begins = unused > 0 and rng.random() < .6
            continues = rested and unused > begins and rng.random() < .3
            ctx.set(dut.credits.rests, rests)
            ctx.set(dut.credits.begins, begins)
            ctx.set(dut.credits.continues, continues)
            assert ctx.get(dut.credits.some) == (unused > 0), "credits are exact"
            coming = unused + returning[0]
            assert ctx.get(dut.credits.admits) == (coming > (3 if rested else 0))
            assert ctx.get(dut.credits.admits_another) == (coming > (4 if rested else 1))
            rested = rests
            hit = promised > 0 and rng.random() < .5
            miss = promised > hit and rng.random() < .5
            listens = hit or (promised > miss and rng.random() < .3)
            ctx.set(dut.hit.valid, hit)
            ctx.set(dut.miss.valid, miss)
            ctx.set(dut.listens, listens)
            ready = rng.random() < .6
            ctx.set(dut.port.ready, ready)
            valid, some = ctx.get(dut.port.valid), ctx.get(dut.queue.some)
            assert valid == (enabled and some)
            assert some or not alone, "a beat that is alone is offered at once"
            idle = idle + 1 if written and not some else 0
            assert idle <= 3, "a beat is offered soon"
            left = written[0] if some else None
            if valid:
                assert (ctx.get(dut.port.payload.addr), ctx.get(dut.port.payload.last)) == left
                assert was_stuck in (None, left), "the payload changed while it waited"
            goes = bool(some) and (ready or not enabled)
            alone = len(written) == goes and (hit or (miss and not listens))
            together += bool(miss and hit)
            was_stuck = left if valid and not ready else None
            assert ctx.get(dut.retired) == retired
            retired = bool(goes and left[1])
            for path, busy in ((dut.hit, hit), (dut.miss, miss)):
                beat = (number, rng.getrandbits(1))
                ctx.set(path.payload, {"addr": beat[0], "last": beat[1]})
                if busy:
                    written.append(beat)
                    number += 1
            promised += begins + continues - hit - miss
            returning.popleft()
            returning.append(int(goes))
            if goes:
                written.popleft()
            await ctx.tick()
        assert number > 500 and together > 50

    simulate(dut, bench)


def test_faults_wait_for_their_records():
    """A fault of the miss path leaves once it is recorded, and what stands behind it waits; those
    of the hit path wait for nothing."""
    depth = 8
    dut, rng = PortEgress(depth), seeded("egress/records")

    async def bench(ctx):
        ctx.set(dut.enable, 1)
        written, unrecorded, settled, waited, idle = deque(), 0, 0, 0, 0
        for number in range(1500):
            ready = rng.random() < .7
            ctx.set(dut.port.ready, ready)
            records = unrecorded > 0 and rng.random() < .2
            ctx.set(dut.recorded, records)
            path = rng.choice(("hit", "miss", None)) if len(written) < depth else None
            fails = rng.random() < .3
            for name in ("hit", "miss"):
                channel = getattr(dut, name)
                ctx.set(channel.valid, name == path)
                ctx.set(channel.payload, {"addr": number, "cause": 7 * fails, "last": 1})
            ctx.set(dut.listens, path == "hit" or (len(written) < depth and rng.random() < .3))
            waits = bool(written) and written[0][1] and not settled
            valid = ctx.get(dut.port.valid)
            assert valid == (ctx.get(dut.queue.some) and not waits)
            idle = idle + 1 if written and not waits and not valid else 0
            assert idle <= 3, "a beat is offered soon"
            waited += bool(waits)
            goes = valid and ready
            if goes:
                addr, fault = written.popleft()
                assert ctx.get(dut.port.payload.addr) == addr
                settled -= fault
            if path:
                written.append((number, int(path == "miss" and fails)))
                unrecorded += written[-1][1]
            settled += records
            unrecorded -= records
            await ctx.tick()
        assert waited > 50

    simulate(dut, bench)


def test_software_has_its_answers_at_once():
    """A beat is offered in the next cycle, a second one that came with it behind it; faults wait
    for no record. There are credits always."""
    dut, rng = SoftwareEgress(), seeded("egress/software")

    async def bench(ctx):
        ctx.set(dut.enable, 1)
        ctx.set(dut.port.ready, 1)
        held, together = deque(), 0
        for number in range(1000):
            credits = dut.credits
            assert ctx.get(credits.admits & credits.admits_another & credits.some)
            assert ctx.get(dut.port.valid) == bool(held)
            if held:
                beat = ctx.get(dut.port.payload)
                assert (beat.addr, beat.cause.value, beat.last) == held[0]
            came = set()
            if len(held) < 2:       # two requests are outstanding, at most
                came = {name for name in ("hit", "miss") if rng.random() < .3}
                came = came if len(held) == 0 else came & {"hit"}
            if held:
                held.popleft()
            for index, name in enumerate(("hit", "miss")):
                channel, content = getattr(dut, name), (2 * number + index, rng.choice((0, 7)),
                                                        rng.getrandbits(1))
                ctx.set(channel.valid, name in came)
                ctx.set(channel.payload, dict(zip(("addr", "cause", "last"), content)))
                if name in came:
                    held.append(content)
            together += len(came) == 2
            await ctx.tick()
        assert together > 30

    simulate(dut, bench)


def test_mark():
    """Marked: beats that were held at the mark, or came with it, are still here; whether taken or
    dropped, they end it, and later ones do not matter."""
    depth = 8
    dut, rng = PortEgress(depth), seeded("egress/mark")

    async def bench(ctx):
        held = before = marks = 0
        told = deque([False] * 2)   # after the last two cycles
        for _ in range(2000):
            ctx.set(dut.enable, rng.random() < .95)
            ctx.set(dut.port.ready, rng.random() < .4)
            hit = held < depth and rng.random() < .3
            miss = held + hit < depth and rng.random() < .2
            mark = rng.random() < .05
            ctx.set(dut.hit.valid, hit)
            ctx.set(dut.listens, hit)
            ctx.set(dut.miss.valid, miss)
            ctx.set(dut.mark.set, mark)
            assert ctx.get(dut.mark.remains) == told.popleft()
            gone = ctx.get(dut.queue.some) and (not ctx.get(dut.enable)
                                                or ctx.get(dut.port.ready))
            held += hit + miss - gone
            before = held if mark else max(before - gone, 0)
            told.append(before > 0)
            marks += mark and held > 1
            await ctx.tick()
        assert marks > 25

    simulate(dut, bench)


def test_an_operation_has_a_credit():
    """The contract: a credit that is taken though none is left is told of."""
    depth = 4
    dut = Credits(depth)

    async def bench(ctx):
        ctx.set(dut.account.begins, 1)
        for _ in range(depth):
            await ctx.tick()
        assert not ctx.get(dut.account.some)
        await ctx.tick()

    with pytest.raises(AssertionError, match="enters with a credit"):
        simulate(dut, bench)


def test_a_beat_has_a_place():
    """The contract: more beats than were promised are told of."""
    dut = PortEgress(4)

    async def bench(ctx):
        ctx.set(dut.enable, 1)
        for signal in (dut.hit.valid, dut.listens, dut.miss.valid):
            ctx.set(signal, 1)
        for _ in range(5):
            await ctx.tick()

    with pytest.raises(AssertionError, match="have places in its queues"):
        simulate(dut, bench)


@pytest.mark.parametrize("ready, sentence", [(1, "comes after the one before was offered"),
                                             (0, "takes its beats at once")])
def test_software_keeps_its_rules(ready, sentence):
    """The contracts: a beat behind a waiting one, and one that is not taken, are told of."""
    dut = SoftwareEgress()

    async def bench(ctx):
        ctx.set(dut.port.ready, ready)
        ctx.set(dut.hit.valid, 1)
        ctx.set(dut.miss.valid, ready)
        for _ in range(3):
            await ctx.tick()

    with pytest.raises(AssertionError, match=sentence):
        simulate(dut, bench)
