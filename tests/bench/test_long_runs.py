"""Samples of configurations, tallies, and the pool that runs them."""

import threading
from collections import Counter

from ..regression.simulator import CONFIGS
from .matrix import AXES, combinations, sample
from .worlds import Pool, Tally, fresh_seeds, parse_log

LOG = """world/seed=3: 4 areas, 2 devices
world/seed=3: 1200 requests answered in 9000 cycles, 5000 pages compared, 3000 of them granted, 77 reads
other: world/seed=9: 1 requests answered in 1 cycles, 1 pages compared, 1 of them granted
world/seed=4: 800 requests answered in 1000 cycles, 1000 pages compared, 0 of them granted, 7 reads
"""


def values(name):
    return dict(change.split("=") for change in name.split("+")[1:])


def test_a_log_is_added_up():
    assert parse_log(LOG) == Tally(2, 2000, 10000, 6000, 3000)
    assert parse_log("nothing") == Tally()


def test_combinations_are_different_configurations():
    names = combinations()
    configs = {CONFIGS[name] for name in names}
    assert len(configs) == len(names) > 300
    assert {config.walks for config in configs} == {1, 2, 4, 8, 16}
    assert {config.ports for config in configs} == set(range(1, 10))


def test_a_sample_is_even_and_follows_its_seed():
    names = sample(16, 5)
    assert names == sample(16, 5) != sample(16, 6)
    for axis, choices in AXES.items():
        counts = Counter(int(values(name)[axis]) for name in names)
        assert set(counts) == set(choices)
        assert max(counts.values()) - min(counts.values()) <= 1


def test_a_small_sample_still_varies_everything():
    names = sample(2, 1)
    assert len({values(name)["axi_data_width"] for name in names}) == 2
    assert len({values(name)["cpu_port"] for name in names}) == 2


def test_the_pool_runs_everything_two_at_a_time():
    both, most, running = threading.Barrier(2, timeout=20), [], set()

    def job(index):
        running.add(index)
        both.wait()             # nobody passes alone
        most.append(len(running))
        both.wait()
        running.discard(index)
        return index
    results = list(Pool(2).run(lambda index=index: job(index) for index in range(6)))
    assert sorted(results) == [0, 1, 2, 3, 4, 5] and max(most) == 2


def test_the_pool_asks_for_jobs_when_it_has_room():
    done = []

    def jobs():
        while sum(done) < 5:
            yield lambda: 1
    for result in Pool(1).run(jobs()):
        done.append(result)
    assert len(done) == 5


def test_seeds_are_fresh():
    assert len(set(fresh_seeds(20))) == 20
