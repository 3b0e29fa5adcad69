import pytest

from sim.time.scheduler import Deadlock, Lock, Scheduler


def test_time_and_order():
    scheduler = Scheduler()
    seen = []

    async def worker(name, cycles):
        await scheduler.delay(cycles)
        seen.append((scheduler.now, name))
        return name

    async def main():
        tasks = [scheduler.start(worker("b", 5)), scheduler.start(worker("a", 5)),
                 scheduler.start(worker("c", 2)), scheduler.start(worker("d", 0))]
        assert not tasks[0].done()
        return [await task for task in tasks]
    assert scheduler.run(main()) == ["b", "a", "c", "d"]
    assert seen == [(0, "d"), (2, "c"), (5, "b"), (5, "a")]


def test_event_wakes_all_and_stays_set():
    scheduler = Scheduler()
    event = scheduler.event()

    async def waiter():
        await event.wait()
        return scheduler.now

    async def main():
        tasks = [scheduler.start(waiter()) for _ in range(3)]
        await scheduler.delay(7)
        event.set()
        await event.wait()
        assert event.is_set()
        event.clear()
        assert not event.is_set()
        return [await task for task in tasks]
    assert scheduler.run(main()) == [7, 7, 7]


def test_errors_are_never_lost():
    scheduler = Scheduler()

    async def fail():
        raise KeyError("lost?")

    async def awaits():
        task = scheduler.start(fail())
        with pytest.raises(KeyError):
            await task
        return "caught"

    async def forgets():
        scheduler.start(fail())
        await scheduler.delay(10)
    assert scheduler.run(awaits()) == "caught"
    with pytest.raises(KeyError):
        scheduler.run(forgets())
    with pytest.raises(KeyError):
        scheduler.run(fail())


def test_deadlock():
    scheduler = Scheduler()

    async def main():
        await scheduler.delay(3)
        await scheduler.event().wait()
    with pytest.raises(Deadlock, match="after cycle 3"):
        scheduler.run(main())


def test_lock():
    scheduler = Scheduler()
    lock = Lock(scheduler)
    inside = []

    async def worker(name):
        async with lock:
            inside.append(name)
            await scheduler.delay(2)
            assert inside[-1] == name
            inside.append(name)

    async def main():
        for task in [scheduler.start(worker(name)) for name in "abc"]:
            await task
    scheduler.run(main())
    assert "".join(inside) == "aabbcc"
