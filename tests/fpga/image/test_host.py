"""Hardware in the loop without the hardware: ``siommu-host`` on the simulated board, over the pins
of its UART, bit by bit.

``SIOMMU_BOARD_TRANSLATIONS=1000`` compares as many requests of random worlds with the golden model.
"""

import json
import os
import random

import pytest
import serial

from fpga.image.config import ImageConfig
from fpga.image.simulated import SIMULATED, SimulatedBoard
from sim.board import cli, worlds
from sim.board.board import Board, BoardError
from sim.board.link import Link, LinkError
from sim.board.memory import BoardMemory
from sim.memory import BusError
from sim.model.golden import GoldenModel
from sim.model.responses import Access
from siommu.arch.config import PRESETS
from siommu.arch.formats import Cause, Mode
from siommu.arch.register_map import ID

TRANSLATIONS = int(os.environ.get("SIOMMU_BOARD_TRANSLATIONS", 30))
TABLES = {"log2": 4, "devices": [
    {"device": 5, "devid": 1, "spaces": [
        {"pasid": 3, "blocks": [{"at": "0x100000", "to": "0x7000", "pages": 3, "write": False}],
         "memory": [{"at": "0x40000000", "to": "0x80000000", "size": "1G"}]}]}]}


@pytest.fixture(scope="module")
def simulated():
    with SimulatedBoard(ImageConfig(PRESETS["small"], **SIMULATED)) as board:
        yield board


@pytest.fixture
def port(simulated):
    with serial.Serial(simulated.port, timeout=.05) as port:
        yield port


@pytest.fixture
def board(port):
    board = Board(Link(port, timeout=20), patience=60)
    board.reset()
    return board


class Damaged:
    """A line that loses or damages a byte now and then."""

    def __init__(self, port, rng):
        self.port, self.rng, self.damages = port, rng, 0

    def _damage(self, data):
        if data and self.rng.random() < .05:
            self.damages += 1
            at = self.rng.randrange(len(data))
            other = data[at] ^ 1 << self.rng.randrange(8)
            kept = b"" if self.rng.random() < .5 else bytes((other,))
            return data[:at] + kept + data[at + 1:]
        return data

    def write(self, data):
        self.port.write(self._damage(data))

    def read(self, count):
        return self._damage(self.port.read(count))


@pytest.fixture
def host(simulated, capsys):
    """Runs the command on the simulated board: (status, output, errors)."""
    def run(*arguments, port=simulated.port, timeout="20"):
        status = cli.main(["--port", port, "--timeout", timeout, *arguments])
        return status, *capsys.readouterr()
    return run


def told(done):
    """What a command with ``--json`` said."""
    status, out, err = done
    assert (status, err) == (0, ""), err
    return json.loads(out)


# -- the library -----------------------------------------------------------------------------------

def test_random_worlds_are_the_golden_models(board):
    result = worlds.run(board, TRANSLATIONS)
    assert result.differences == []
    assert result.translations == TRANSLATIONS
    assert result.grants and len(result.causes) > 3


def test_a_difference_is_found(board, monkeypatch):
    """A model in another mode is contradicted."""
    monkeypatch.setattr(worlds, "GoldenModel", lambda memory, mode, *rest, **more:
                        GoldenModel(memory, Mode.BYPASS, *rest, **more))
    result = worlds.run(board, 20)
    assert result.differences and result.differences[0]["world"] == 0


def test_memory(board):
    memory = BoardMemory(board, seed=1)
    page = memory.alloc_pages()
    memory.write_u64(page, 0x1122334455667788)
    memory.write(page + 13, b"abc")
    memory.poison(page + 64, 64)
    memory.flush()
    assert board.read_words([page, page + 8]) == [memory.read_u64(page), memory.read_u64(page + 8)]
    with pytest.raises(BoardError, match=f"refuses a read at {page + 64:#x}: SLVERR"):
        board.read_words([page + 64])
    with pytest.raises(BusError):
        memory.read_u64(board.info.memory)
    memory.cure()
    memory.free(page)
    while memory.alloc_pages() != page:     # it is cleared when it is handed out again
        pass
    memory.flush()
    assert board.read_words([page, page + 8]) == [0, 0]
    with pytest.raises(BoardError, match="there is no word at 0x40000"):
        board.read_words([board.info.memory])


def test_registers(board):
    assert board.get("ID") == ID
    board.set("IRQ_ENABLE", 5)
    assert board.get("IRQ_ENABLE") == 5
    with pytest.raises(BoardError, match="refuses a write of 0x1 to ID: SLVERR"):
        board.set("ID", 1)
    with pytest.raises(BoardError, match="no register NOTHING"):
        board.get("NOTHING")
    before = board.counters()["cycles"]
    assert board.counters()["cycles"] > before
    board.reset()
    assert board.get("IRQ_ENABLE") == 0


def test_requests_that_cannot_be_asked(board):
    access = Access(0, 0, 0, 0, 0, 0, 1)
    (beats,) = board.ask([(0, access)])
    assert [beat.cause for beat in beats] == [Cause.CORE_OFF.value]
    with pytest.raises(BoardError, match="cannot be asked at once"):
        board.ask([(0, access), (0, access)])
    with pytest.raises(BoardError, match="a request at port 1: NO_PORT"):
        board.ask([(1, access)])


def test_a_bad_line_costs_time_and_nothing_else(port):
    line = Damaged(port, random.Random(1))
    link = Link(line, timeout=1.0, tries=20)
    board = Board(link)
    words = {8 * index: index * 0x0101010101010101 for index in range(120)}
    board.write_words(words)
    assert board.read_words(list(words)) == list(words.values())
    before = board.counters()["requests"]
    for tag in range(20):
        board.ask([(0, Access(0, 0, 0, 0, 0, 0, tag))])
    assert board.counters()["requests"] - before == 20, "each was asked once"
    assert line.damages > 5 and link.again > 5


# -- the command -----------------------------------------------------------------------------------

def test_tables_from_a_file(host, tmp_path):
    assert host("reset") == (0, "", "")
    file = tmp_path / "tables.json"
    file.write_text(json.dumps(TABLES))
    assert told(host("--json", "load", str(file)))["ddt_log2"] == 4
    assert told(host("--json", "info"))["mode"] == "TRANSLATE"
    ask = ["--json", "translate", "--device", "5", "--pasid", "3"]
    answer = told(host(*ask, "--blocks", "--pages", "3", "0x100123"))
    assert answer["granted"] and answer["beats"] == [
        {"cause": "OK", "disposition": "DENY", "address": 0x7123, "pages": 3, "read": 1, "write": 0,
         "size": "PAGE_4K"}]
    assert told(host(*ask, "--write", "0x40000000"))["beats"][0]["address"] == 0x80000000
    status, out, _ = host("translate", "--device", "5", "--pasid", "3", "--blocks", "--write",
                          "0x101000")
    assert (status, out) == (0, "refused  0x101000: WRITE_DENIED, DENY\n")
    status, out, _ = host("faults")
    assert status == 0 and "WRITE_DENIED" in out and "write blocks" in out
    assert told(host("--json", "faults")) == []
    counters = told(host("--json", "counters"))
    assert (counters["requests"], counters["faults"]) == (3, 1)
    assert told(host("--json", "memory", "0x2050", "1"))["0x2050"] & 0xFF == 0x47
    assert told(host("--json", "set", "irq_enable", "0x40")) == {"IRQ_ENABLE": 0x40}
    assert host("registers", "irq_enable")[1].split() == ["IRQ_ENABLE", "0x00000040"]
    assert host("reset") == (0, "", "")
    assert told(host("--json", "info"))["mode"] == "ABORT"


def test_random_worlds_from_the_shell(host, monkeypatch):
    status, out, err = host("--json", "random", "--translations", "20", "--seed", "3")
    assert status == 0 and json.loads(out)["translations"] == 20
    assert "siommu: 20 of 20 translations" in err
    monkeypatch.setattr(worlds, "check_response", lambda *_: (_ for _ in ()).throw(
        worlds.ResponseError("it is not so")))
    status, out, err = host("random", "--translations", "20", "--seed", "3")
    assert status == 1 and out.rstrip().endswith("20 differences from the golden model")
    assert "world 3: it is not so" in out


@pytest.mark.parametrize("arguments, sentence", [
    (["faults"], "the fault queue is off; `siommu-host load` turns it on"),
    (["registers", "nothing"], "there is no register NOTHING; `siommu-host registers` lists them"),
    (["set", "ID", "1"], "the board refuses a write of 0x1 to ID: SLVERR"),
    (["memory", "0x40000"],
     "there is no word at 0x40000: the board has 262144 bytes, and words are aligned to 8"),
    (["translate", "--device", "1", "--port-number", "7", "0"],
     "the board refuses a request at port 7: NO_PORT"),
    (["load", "/nonexistent"], "cannot read /nonexistent: No such file or directory")])
def test_errors_are_sentences(host, board, arguments, sentence):
    assert host(*arguments) == (1, "", f"siommu: {sentence}\n")


@pytest.mark.parametrize("text, sentence", [
    ("{", "is no JSON"), ("[]", "the description must be an object"),
    ('{"logs": 2}', "the description has 'logs'; it may have log2, devices"),
    ('{"log2": "x"}', """the description needs a number for 'log2', not "x\""""),
    ('{"log2": 17}', "choose 0 to 16"),
    ('{"devices": [{}]}', "devices[0] of the description needs"),
    ('{"devices": [{"device": 1, "spaces": [{"pasid": 1, "memory": [{"at": 1, "to": 0}]}]}]}',
     "aligned"),
    ('{"log2": 16}', "the tables do not fit into the board's memory")])
def test_descriptions_that_cannot_be_built(host, tmp_path, text, sentence):
    file = tmp_path / "tables.json"
    file.write_text(text)
    status, out, err = host("load", str(file))
    assert (status, out) == (1, "") and sentence in err and err.count("\n") == 1


def test_nobody_at_the_other_end(host):
    master, slave = os.openpty()
    try:
        status, out, err = host("info", port=os.ttyname(slave), timeout="0.1")
        assert (status, out) == (1, "")
        assert "the board does not answer; is the image loaded" in err and err.count("\n") == 1
    finally:
        os.close(master)
        os.close(slave)
    status, out, err = host("info", port="/dev/nonexistent")
    assert (status, out) == (1, "") and "cannot open /dev/nonexistent: " in err
    assert "No such file or directory" in err and err.count("\n") == 1


def test_a_line_that_damages_everything():
    class Noise:
        def read(self, count):
            return bytes(count)

        def write(self, data):
            pass
    with pytest.raises(LinkError, match="does not answer"):
        Board(Link(Noise(), timeout=.05))
