"""The pictures of the documents, drawn from the declarations where they show numbers."""

from siommu.arch import formats
from siommu.generate.files import write_whole
from siommu.pipeline.sizes import LINE_PAGES, LINE_ROWS
from siommu.pipeline.timetable import DRAIN, Line, Stage, Walk

from .drawing import INK, MEMORY, PLAIN, REQUESTER, SOFT, Drawing

__all__ = ["LATENCY", "Miss", "write_fence", "write_pipeline", "write_read", "write_tables"]

LATENCY = 5         #: of the memory in the picture: cycles from AR to the first beat
GREEN = "#cfe8cf"


class Miss:
    """When what happens, of a miss on the idle core whose upper levels are cached. The cycle of the
    request's handshake is 0; ``tests/generated`` compares these with the core."""

    start = Stage.JOIN                              #: the walker takes the start
    read = start + Walk.DECIDED                     #: AR
    word = read + LATENCY                           #: the first beat
    join = word + Walk.DECIDE                       #: the owner goes to the second exit
    answer = join + Stage.SECOND_EXIT - Stage.JOIN + 1
    over = word + LINE_PAGES - 1 + Walk.OVER        #: on a bus of one word a beat
    line = over + 3                                 #: ``Line.BEGIN``: told, kept, chosen
    offer = line + Line.FILL
    fill = offer + 1                                #: its ARBITRATE


class _Clock:
    """Rows of cycles."""

    LEFT, TOP, STEP, HEIGHT = 176, 44, 22, 20

    def __init__(self, drawing, cycles):
        self.drawing, self.y = drawing, self.TOP
        for cycle in range(cycles + 1):
            x = self.x(cycle)
            drawing.line((x, self.TOP - 6), (x, self.TOP + 346), color="#e4e8ec", width=.6)
            if cycle < cycles:
                drawing.text(x + self.STEP / 2, self.TOP - 10, str(cycle), anchor="middle", size=9,
                             fill="#666")

    def x(self, cycle):
        return self.LEFT + cycle * self.STEP

    def row(self, y, name):
        """Begins a row, ``y`` below the axis."""
        self.y = self.TOP + y
        self.drawing.text(10, self.y + 14, name, bold=True, size=11)

    def box(self, cycle, cycles, words, fill=PLAIN):
        self.drawing.box(self.x(cycle), self.y, cycles * self.STEP, self.HEIGHT, words, fill=fill,
                         size=10)

    def stages(self, first, last, since=0):
        """Boxes with the numbers of stages; ``since``: the cycle of a handshake."""
        for stage in range(first, last + 1):
            self.box(since + stage, 1, str(stage))

    def note(self, cycle, words, below=False):
        self.drawing.text(self.x(cycle) + 4, self.y + (32 if below else 14), words, size=10,
                          fill="#444")


def _rows(clock):
    clock.row(0, "first-level hit")
    clock.stages(Stage.HANDSHAKE, Stage.ANSWER)
    clock.box(Stage.ANSWER + 1, 1, "R", GREEN)
    clock.note(Stage.ANSWER + 2, f"response valid after {Stage.ANSWER + 1} cycles")

    clock.row(34, "second-level hit")
    clock.stages(Stage.HANDSHAKE, Stage.SECOND_EXIT)
    clock.box(Stage.SECOND_EXIT + 1, 1, "R", GREEN)
    clock.note(Stage.SECOND_EXIT + 2, f"after {Stage.SECOND_EXIT + 1} cycles")

    clock.row(68, "miss")
    clock.stages(Stage.HANDSHAKE, Stage.ACT)
    clock.stages(Stage.JOIN, Stage.SECOND_EXIT, Miss.join - Stage.JOIN)
    clock.box(Miss.answer, 1, "R", GREEN)
    clock.note(Miss.answer + 1, f"after L + {Miss.answer - LATENCY} cycles; on its way while the "
               "word is decided")

    clock.row(102, "its walk")
    clock.box(Miss.start, Walk.DECIDED, "start", REQUESTER)
    clock.box(Miss.read, 1, "AR", REQUESTER)
    clock.box(Miss.read + 1, LATENCY - 1, f"L = {LATENCY}", MEMORY)
    clock.box(Miss.word, LINE_PAGES, f"the line: {LINE_PAGES} beats", MEMORY)
    clock.box(Miss.over, 1, "o", REQUESTER)
    clock.note(Miss.over + 1, "o: over, nothing more comes")

    clock.row(136, "its first word")
    for step in (Walk.FACTS, Walk.DECIDE, Walk.DECIDED):
        clock.box(Miss.word + step, 1, step.name[0] if step != Walk.DECIDED else "=", REQUESTER)
    clock.note(Miss.word + 3, "F: facts, D: decide, =: the outcome or the next read")

    clock.row(170, "its line")
    clock.box(Miss.line, Line.RUN, f"{LINE_ROWS} rows, runs", REQUESTER)
    clock.box(Miss.line + Line.FILL, 1, "f", REQUESTER)
    clock.note(Miss.line + Line.FILL + 1, "f: fill on offer")

    clock.row(204, "second level")
    clock.box(Miss.line + Line.TAG_OFF, 1, "–", REQUESTER)
    clock.box(Miss.line + Line.FIRST_ROW, LINE_ROWS, "rows", REQUESTER)
    clock.box(Miss.line + Line.TAG_ON, 1, "+", REQUESTER)
    clock.note(Miss.line + Line.TAG_ON + 1, "–, +: tag off, tag on")

    handshake = Miss.fill - Stage.ARBITRATE
    clock.row(248, "fill, first level")
    clock.stages(Stage.ARBITRATE, Stage.TAGS, handshake)
    written = handshake + Stage.TAGS
    clock.note(written + 1, "tag on")

    clock.row(282, "last look-up that misses")
    since = written - Stage.COMPARE
    clock.stages(Stage.HANDSHAKE, Stage.ACT, since)
    clock.row(316, "first one that hits")
    clock.stages(Stage.HANDSHAKE, Stage.ANSWER, since + 1)
    clock.box(since + 2 + Stage.ANSWER, 1, "R", GREEN)
    return since + 3 + Stage.ANSWER


def write_pipeline(path):
    """Hit, miss and fill on one clock, by the timetable."""
    cycles = Miss.fill + 2 * Stage.ANSWER + 1
    drawing = Drawing("Hit, miss and fill, by the cycles since the handshake of a request",
                      _Clock.LEFT + cycles * _Clock.STEP + 14, 478)
    drawing.text(10, 20, "cycle", size=10, fill="#666")
    drawing.text(_Clock.LEFT, 20, "since the request's handshake; idle core, upper levels cached, "
                 "bus of 64 bits", size=10, fill="#666")
    clock = _Clock(drawing, cycles)
    last = _rows(clock)
    if last > cycles:
        raise ValueError(f"the picture ends at cycle {cycles}, before {last}")
    for number, group in enumerate((list(Stage)[:6], list(Stage)[6:])):
        for column, stage in enumerate(group):
            drawing.text(_Clock.LEFT + 150 * column, 432 + 22 * number, f"{stage} "
                         + stage.name.lower().replace("_", " "), size=11)
    drawing.text(10, 432, "stages", bold=True, size=11)
    write_whole(path, drawing.svg())


def _table(drawing, x, y, name, index, entry):
    drawing.box(x, y, 128, 52, name, index, entry)


def write_tables(path):
    """The tree of tables in memory, down to the leaves."""
    drawing = Drawing("The tables in memory", 1000, 470)
    entries = formats.TABLE_ENTRIES
    drawing.box(14, 120, 104, 52, "registers", "DDT_BASE", "DDT_LOG2", fill=REQUESTER)
    _table(drawing, 156, 120, "device directory", "by DEVICE",
           f"{formats.DDT_ENTRY_BYTES} bytes each")
    _table(drawing, 322, 120, "PASID directory", "0, 1 or 2 levels",
           f"{formats.ENTRY_BYTES} bytes each")
    _table(drawing, 488, 120, "contexts", "by PASID", f"{formats.CONTEXT_BYTES} bytes each")
    for left in (118, 284, 450):
        drawing.line((left, 146), (left + 38, 146), arrow=True)
    drawing.text(322, 190, "which device may ask at all:", size=11, anchor="end", fill="#444")
    drawing.text(322, 205, "V, MEM_EN, STO_EN, DEVID", size=11, anchor="end", fill="#444")
    drawing.text(470, 190, "which process: two roots", size=11, fill="#444")

    for y, ft, root, kind in ((30, 0, "MEM_ROOT", "memory table"),
                              (300, 1, "STO_ROOT", "storage table")):
        drawing.text(664, y - 10, f"FT = {ft}: {root}, the {kind}", bold=True)
        drawing.box(664, y, 150, 26, "levels 5 and 4 (root)")
        drawing.box(664, y + 48, 150, 26, "level 3")
        drawing.box(664, y + 96, 150, 26, "level 2" if not ft else "level 2: of the process")
        drawing.line((739, y + 26), (739, y + 48), arrow=True)
        drawing.line((739, y + 74), (739, y + 96), arrow=True)
        drawing.line((814, y + 61), (858, y + 61), arrow=True)
        drawing.line((814, y + 109), (858, y + 109), arrow=True)
        drawing.text(864, y + 65, "1 GiB leaf", size=11)
        drawing.text(864, y + 113, "2 MiB leaf", size=11)
    drawing.line((616, 136), (640, 136), (640, 43), (664, 43), arrow=True)
    drawing.line((616, 156), (640, 156), (640, 313), (664, 313), arrow=True)
    # level 1
    drawing.box(664, 178, 150, 26, "level 1")
    drawing.line((739, 152), (739, 178), arrow=True)
    drawing.line((814, 191), (858, 191), arrow=True)
    drawing.text(864, 195, "4 KiB leaf", size=11)
    drawing.text(664, 222, f"{LINE_PAGES} leaves are a line of 64 bytes: one read", size=11,
                 fill="#444")
    drawing.box(488, 396, 128, 52, "level 1 of a file", "4 KiB leaves, FT = 1,",
                "DEVID of the disk", fill=MEMORY)
    drawing.line((664, 409), (616, 409), arrow=True)
    drawing.box(322, 396, 128, 52, "another process's", "level 2", "its own W and NR")
    drawing.line((450, 422), (488, 422), arrow=True)
    drawing.text(322, 370, "a file's table is built once; each process", size=11, fill="#444")
    drawing.text(322, 385, "has its own rights above it", size=11, fill="#444")
    drawing.text(14, 260, f"Every page-table page has {entries} entries of {formats.ENTRY_BYTES} "
                 "bytes, as x86-64 has them.", size=11)
    drawing.text(14, 278, "W counts if all levels have it; NR if any has it; U must be in all of "
                 "them.", size=11)
    write_whole(path, drawing.svg())


def write_read(path):
    """One NVMe read as two translations."""
    drawing = Drawing("One NVMe read: two translations", 940, 420)
    lanes = (("application", 90, REQUESTER), ("SSD", 330, REQUESTER), ("SIOMMU", 590, PLAIN),
             ("main memory", 840, MEMORY))
    for name, x, fill in lanes:
        drawing.box(x - 62, 14, 124, 30, name, fill=fill, size=13)
        drawing.line((x, 44), (x, 404), color=SOFT)
    x = {name: place for name, place, _ in lanes}

    def message(y, sender, receiver, *words, dashed=False):
        drawing.line((x[sender], y), (x[receiver], y), arrow=True, dashed=dashed)
        for number, line in enumerate(words):
            above = 8 + 15 * (len(words) - 1 - number)
            drawing.text((x[sender] + x[receiver]) / 2, y - above, line, anchor="middle", size=11)

    message(92, "application", "SSD", "read command in its own queue:",
            "virtual block, virtual buffer")
    message(140, "SSD", "SIOMMU", "FT = 1, write = 0", "virtual block address")
    message(160, "SIOMMU", "main memory", "storage table", dashed=True)
    message(186, "SIOMMU", "SSD", "physical block address, rights")
    message(238, "SSD", "SIOMMU", "FT = 0, write = 1", "virtual address of the buffer")
    message(258, "SIOMMU", "main memory", "memory table", dashed=True)
    message(284, "SIOMMU", "SSD", "physical memory address, rights")
    drawing.box(220, 300, 220, 40, "both are granted:", "the block is read from the flash",
                fill=MEMORY)
    message(366, "SSD", "main memory", "the data, by DMA, to the physical memory address")
    message(396, "SSD", "application", "completion")
    drawing.text(606, 316, "One of them refused: no byte moves,", size=11, fill="#444")
    drawing.text(606, 331, "the completion tells the cause.", size=11, fill="#444")
    write_whole(path, drawing.svg())


def write_fence(path):
    """An invalidation and its fence on a time line."""
    drawing = Drawing("An invalidation and its fence", 960, 340)

    def bar(y, begin, end, words, fill=PLAIN):
        drawing.box(begin, y, end - begin, 26, words, fill=fill)

    def lane(y, name):
        drawing.text(12, y + 17, name, bold=True, size=11)

    invalidates, done, fenced = 236, 676, 880
    for x, words in ((invalidates, "INVAL begins"), (done, "INVAL is done"),
                     (fenced, "FENCE is done")):
        drawing.line((x, 66), (x, 300), dashed=True, color=INK, width=1)
        drawing.text(x, 316, words, anchor="middle", size=11)
    lane(40, "software")
    bar(40, 150, 230, "table stores", MEMORY)
    drawing.text(150, 30, "then INVAL and FENCE, and goes on", size=11, fill="#444")
    bar(40, fenced + 4, 948, "drains", MEMORY)
    drawing.text(948, 30, "the SSD, then uses the pages anew", size=11, anchor="end", fill="#444")
    lane(84, "command queue")
    bar(84, invalidates, 366, f"drain: {DRAIN} cycles")
    bar(84, 366, 536, "steps through the caches")
    bar(84, 536, done, f"drain: {DRAIN} cycles")
    bar(84, done, 774, "stale walks")
    bar(84, 774, fenced, "marked beats")
    lane(128, "walks of before")
    bar(128, 150, 236, "walk")
    bar(128, 236, 774, "stale: answered, joined by nobody, filling no cache", "#f3e3d3")
    lane(172, "new misses")
    bar(172, invalidates, done, "covered address spaces: trust no cache, walk from the directory")
    lane(216, "hits")
    bar(216, 150, 948, "go on, but for one cycle of a port for each step", GREEN)
    lane(260, "beats of before")
    bar(260, 150, fenced, "may still be handed over", "#f3e3d3")
    write_whole(path, drawing.svg())


def write_linux(path):
    """Linux in QEMU, the bridge, and the RTL."""
    drawing = Drawing("A real Linux in front of the core", 970, 410)

    def room(x, width, name):
        drawing.box(x, 12, width, 386, fill="#fff", stroke=SOFT)
        drawing.text(x + 10, 30, name, bold=True, size=12)
    room(16, 410, "QEMU: a guest with Debian's kernel")
    room(470, 484, "our process")
    drawing.box(36, 44, 170, 52, "program", "library, or preloaded", fill=REQUESTER)
    drawing.box(226, 44, 180, 52, "siommu.ko", "attach, notifier, faults", fill=REQUESTER)
    drawing.box(226, 130, 180, 40, "the kernel's NVMe driver", fill=REQUESTER)
    drawing.box(36, 214, 370, 58, "memory of the guest",
                "rings, page tables, storage tables, buffers", fill=MEMORY)
    drawing.box(36, 314, 170, 46, "x-pci-proxy-dev", "a function each")
    drawing.box(226, 314, 180, 46, "qtest", "interrupt messages")
    drawing.line((206, 70), (226, 70), arrow=True)
    drawing.line((130, 96), (130, 214), arrow=True)
    drawing.text(122, 150, "commands with", size=11, anchor="end")
    drawing.text(122, 165, "virtual addresses", size=11, anchor="end")
    drawing.line((316, 170), (316, 214), arrow=True)
    drawing.line((180, 272), (180, 314), arrow=True)
    drawing.text(172, 297, "doorbells, registers", size=11, anchor="end")
    drawing.line((316, 314), (316, 272), arrow=True)
    drawing.box(550, 44, 176, 52, "protocol, server, pace", "one thread; what time is")
    drawing.box(550, 130, 176, 56, "SSDs", "NVMe 1.4, direct queues,", "blocks of image files",
                fill=REQUESTER)
    drawing.box(764, 130, 176, 56, "the core, Verilated", "the exported Verilog", "and its clock")
    drawing.box(764, 44, 176, 52, "judge", "golden model, on every word", "read and every answer",
                fill="#f3e3d3")
    drawing.line((726, 148), (764, 148), arrow=True)
    drawing.line((764, 168), (726, 168), arrow=True)
    drawing.line((852, 130), (852, 96), arrow=True)
    drawing.line((638, 96), (638, 130), arrow=True)
    drawing.box(550, 214, 390, 58, "the same memory, mapped",
                "one map for the SSDs' DMA and the core's AXI4 reads", fill=MEMORY)
    drawing.line((406, 243), (550, 243), dashed=True)
    drawing.text(448, 236, "shared", size=11, anchor="middle")
    drawing.line((638, 186), (638, 214), arrow=True)
    drawing.line((852, 214), (852, 186), arrow=True)
    drawing.line((120, 360), (120, 380), (490, 380), (490, 70), (550, 70), arrow=True)
    drawing.text(498, 384, "configuration and BAR accesses", size=11)
    drawing.line((550, 158), (520, 158), (520, 337), (406, 337), arrow=True)
    drawing.text(528, 341, "MSI-X", size=11)
    write_whole(path, drawing.svg())
