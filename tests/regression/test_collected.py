"""Which cocotb tests run together in one simulation."""

from types import SimpleNamespace

import pytest

from .collected import Simulations


def item(function, **params):
    found = SimpleNamespace(function=function, originalname="test_same", name="test_same")
    if params:
        found.callspec = SimpleNamespace(params=params)
    return found


@pytest.fixture
def simulations(tmp_path):
    """Simulations in which test "b" fails, and the names that each was started with."""
    started = []
    (tmp_path / "simulation.log").write_text("a: line of a\nb: line of b\n")

    def run(module, config, names):
        started.append((module, config, names))
        return {name: "it broke" if name == "b" else None for name in names}, tmp_path

    return Simulations(run), started


def test_one_simulation_for_the_tests_of_one_function(simulations, request, capsys):
    """A test of the same name in another file, with parameters or without, has no part in it."""
    def ours():
        pass

    def theirs():
        pass

    simulations, started = simulations
    items = [item(theirs), item(theirs, module="m", config="small", test="x"),
             *(item(ours, module="m", config="small", test=test) for test in "ab"),
             item(ours, module="m", config="large", test="c"),
             item(ours, module="n", config="small", test="d")]
    asked = SimpleNamespace(function=ours, config=request.config,
                            session=SimpleNamespace(items=items))
    simulations.check(asked, "m", "small", "a")
    assert "line of a" in (shown := capsys.readouterr().out) and "line of b" not in shown
    with pytest.raises(pytest.fail.Exception, match=r"it broke(.|\n)*simulation.log; look"):
        simulations.check(asked, "m", "small", "b", "; look")
    assert started == [("m", "small", ["a", "b"])]
