"""From a beat to a word that can be decided: the first cycle of a decision, and its registers."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..arch.config import Config
from ..arch.formats import ENTRY_BYTES
from ..bus.axi import ReadData
from ..lib.event import Event
from ..lib.payload import payload_of
from ..lib.structs import assign
from .decode import WordDecoder
from .directory import DirectoryBounds, device_entry, out_of_range
from .state import ReservedBits, WalkRecord, WalkWord, beats_per_line, reserved_bits

__all__ = ["WordStage", "lane", "lanes"]

WORD = 8 * ENTRY_BYTES


def lanes(beat):
    """The words of the data of a beat, lowest first."""
    return [beat[low:low + WORD] for low in range(0, len(beat), WORD)]


def lane(values, number):
    """The one of ``values``, one for each word of a beat, that is for the line's (or page's)
    ``number``\\ th entry."""
    if len(values) == 1:
        return values[0]
    return Cat(values).word_select(number[:exact_log2(len(values))], len(values[0]))


class WordStage(wiring.Component):
    """Takes the wanted word out of a beat, and finds out what it says.

    Parameters
    ----------
    config : Config

    Members
    -------
    beat : In(ReadData), moves : In(1), decides : In(1)
        The beat on offer; the registers are free for it; it is taken, and has a word to be decided.
    record : In(WalkRecord), stale : In(1)
        Of its walk; the walk began before a flush. Combinational from ``beat``.
    bounds : In(DirectoryBounds), check_ad : In(1)
        Registers (§7).
    word : Out(Event(WalkWord))
        In the next cycle: the word that is decided in it. ``key`` and ``state`` of the payload are
        those of any beat, as long as the beat stays.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__({
            "beat": In(ReadData(config.axi_id_width, config.axi_data_width)),
            "moves": In(1),
            "decides": In(1),
            "record": In(WalkRecord(config)),
            "stale": In(1),
            "bounds": In(DirectoryBounds),
            "check_ad": In(1),
            "word": Out(Event(WalkWord(config))),
        })

    def elaborate(self, platform):
        m = Module()
        config = self._config
        m.submodules.decoder = decoder = WordDecoder(config)
        beat, record, state = self.beat, self.record, self.record.state
        one_beat = beats_per_line(config.axi_data_width) == 1
        words, malformed = lanes(beat.data), Signal()
        # What is reserved is asked of all words, for which of them is wanted is known late.
        reserved = [Signal(ReservedBits(config), name=f"reserved_{index}")
                    for index in range(len(words))]
        for of_word, word in zip(reserved, words):
            m.d.comb += assign(of_word, reserved_bits(word, config))
        number = state.entry[exact_log2(ENTRY_BYTES):] + Mux(state.line, 0, record.progress.word)
        m.d.comb += [
            # of a line the first word decides; its burst goes on
            malformed.eq(state.line & (beat.last != one_beat)),
            decoder.state.eq(state), decoder.key.eq(record.key),
            decoder.word.eq(lane(words, number)),
            decoder.reserved.eq(lane([each.as_value() for each in reserved], number)),
            decoder.error.eq(beat.resp[1] | malformed),
            decoder.last.eq(beat.last),
            decoder.shared.eq(state.line & ~malformed if len(words) > 1 else 0),
            decoder.check_ad.eq(self.check_ad),
        ]
        valid, word = Signal(), payload_of(m, self.word.payload, name="held")
        m.d.comb += self.word.valid.eq(valid)
        m.d.sync += [valid.eq(self.decides), word.stale.eq(self.stale)]
        with m.If(self.moves):
            m.d.sync += [
                word.slot.eq(beat.id), word.content.eq(decoder.word), word.says.eq(decoder.says),
                word.state.eq(state), word.progress.eq(record.progress), word.key.eq(record.key),
                word.reach.eq(record.reach),
                word.out_of_range.eq(out_of_range(record.key, self.bounds.outside)),
                word.device_entry.eq(device_entry(record.key, self.bounds.base)),
            ]
        return m
