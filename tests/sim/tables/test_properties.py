"""What the builders map, the golden model grants, with these rights and addresses; what they do
not map is a fault with the disposition that was left there."""

import pytest
from hypothesis import strategies as st

from sim.memory import Memory
from sim.model.golden import Access, GoldenModel
from sim.tables import CHUNK, DeviceDirectory, FileTable, PageTable, PasidDirectory, TableError
from siommu.arch.formats import Cause, Disposition, Mode, Size

from ...support.properties import holds_for

PAGE, DEVICE, DEVID = 4096, 3, 0x155
BASE = 0x7F_C000_0000                       # of 1 GiB that a table with 4 levels has
SPANS = {Size.PAGE_4K: 1, Size.PAGE_2M: CHUNK, Size.PAGE_1G: CHUNK * CHUNK}
#: Pages, from BASE on, that are worth a look: beside the ends of every size of mapping.
PAGES = sorted({CHUNK * CHUNK * gib + CHUNK * mib2 + page for gib in (0, 1)
                for mib2 in (0, 1, CHUNK - 1) for page in (0, 1, 2, CHUNK - 1)})
LEFT = (Disposition.DENY, Disposition.REMAP, Disposition.OS)
BITS = st.booleans()


def golden(ft, *tables, check_ad=0):
    """The golden model, for which PASID *n* has the *n*-th of ``tables`` for one ``ft``."""
    memory = tables[0].memory
    devices, pasids = DeviceDirectory(memory), PasidDirectory(memory)
    for pasid, table in enumerate(tables):
        pasids.set(pasid, **{"sto" if ft else "mem": table})
    devices.set(DEVICE, devid=DEVID, pasids=pasids)
    return GoldenModel(memory, Mode.TRANSLATE, check_ad, devices.base, devices.log2)


@st.composite
def plans(draw):
    """Changes of a page table: (verb, first page, pages or leaves, size, disposition, target,
    rights). Most of what is taken away was mapped before."""
    plan = []
    for verb in draw(st.lists(st.sampled_from(("map", "map", "unmap", "leave")), min_size=1,
                              max_size=8)):
        size = draw(st.sampled_from((Size.PAGE_4K, Size.PAGE_4K, Size.PAGE_2M, Size.PAGE_1G)))
        first = draw(st.sampled_from(PAGES)) // SPANS[size] * SPANS[size]
        count, again = draw(st.integers(1, 3)), draw(st.integers(0, 9))
        if again < len(plan):           # where something is, or was
            _, first, count, size, *_ = plan[again]
            if verb == "map" and draw(BITS):
                size = Size.PAGE_4K     # below what was a larger mapping
        # The highest bit and the lowest one of the size are told apart from all others.
        target = draw(st.integers(0, (1 << 40) // SPANS[size] - 4)) * SPANS[size]
        rights = {name: draw(BITS) for name in ("read", "write", "accessed", "dirty")}
        rights |= {"user": draw(st.sampled_from((True, True, True, False))),
                   "devid": draw(st.sampled_from((DEVID, DEVID, None, DEVID ^ 1)))}
        plan.append((verb, first, count, size, draw(st.sampled_from(LEFT)), target, rights))
    return plan


class Expected:
    """What is mapped at each of ``PAGES``: (page, size, rights); else, the disposition."""

    def __init__(self):
        self.mapped, self.left = {}, {}

    def apply(self, table, change):
        """Makes a change of the table. What is refused changes nothing, and whatever overlaps a
        mapping is refused."""
        verb, first, count, size, disposition, target, rights = change
        if verb == "leave":
            size = Size.PAGE_4K
        span = SPANS[size]
        inside = [page for page in PAGES if first <= page < first + count * span]
        there = [page in self.mapped for page in inside]
        same = [page in self.mapped and self.mapped[page][1] is size for page in inside]
        vaddr = BASE + first * PAGE
        try:
            if verb == "map":
                table.map(vaddr, target * PAGE, count, size=size, **rights)
            elif verb == "unmap":
                table.unmap(vaddr, count, size=size, disposition=disposition)
            else:
                table.set_disposition(vaddr, count, disposition)
        except TableError:
            if size is Size.PAGE_4K and inside[-1:] == [first + count - 1] and \
                    len(inside) == count:
                assert (any(there) if verb != "unmap" else not all(same)), "refused for nothing"
            return
        assert all(same) if verb == "unmap" else not any(there), "this was to be refused"
        for page in inside:
            self.mapped.pop(page, None)
            if verb == "map":
                self.mapped[page] = target + page - first, size, rights
            else:
                self.left[page] = disposition

    def of(self, page, ft, write, check_ad):
        """(cause, disposition) for an access to a page."""
        if page not in self.mapped:
            return Cause.NOT_PRESENT, self.left.get(page, Disposition.DENY)
        _, _, rights = self.mapped[page]
        devid = rights["devid"]
        for fails, cause, disposition in (
                (not rights["user"], Cause.SUPERVISOR, Disposition.DENY),
                (check_ad and not rights["accessed"], Cause.ACCESS_FLAG, Disposition.REMAP),
                (ft != (devid is not None), Cause.FT_MISMATCH, Disposition.DENY),
                (ft and devid != DEVID, Cause.DEVICE_MISMATCH, Disposition.DENY),
                (ft and not write and not rights["read"], Cause.READ_DENIED, Disposition.DENY),
                (write and not rights["write"], Cause.WRITE_DENIED, Disposition.DENY),
                (check_ad and write and not rights["dirty"], Cause.ACCESS_FLAG,
                 Disposition.REMAP)):
            if fails:
                return cause, disposition
        return Cause.OK, Disposition.DENY


@holds_for(examples=400, levels=st.sampled_from((4, 5)), ft=st.integers(0, 1), check_ad=BITS,
           plan=plans(), offset=st.integers(0, PAGE - 1))
def test_a_page_table_grants_what_is_mapped(levels, ft, check_ad, plan, offset):
    table, expected = PageTable(Memory(), levels), Expected()
    for change in plan:
        expected.apply(table, change)
    model = golden(ft, table, check_ad=int(check_ad))
    for page in PAGES:
        for write in (0, 1):
            addr = BASE + page * PAGE + offset
            answer = model.translate_page(Access(ft, write, DEVICE, 0, addr, 0), 0)
            cause, disposition = expected.of(page, ft, write, check_ad)
            assert (answer.cause, answer.disposition) == (cause, disposition), hex(addr)
            if cause is Cause.OK:
                target, size, rights = expected.mapped[page]
                assert (answer.addr, answer.size) == (target * PAGE + offset, size)
                assert (answer.read, answer.write) == (
                    rights["read"] or not ft, rights["write"])
            else:
                assert (answer.addr, answer.read, answer.write) == (addr, 0, 0)


RESERVE = 3                                 # of 2 MiB each
FILE_PAGES = sorted({CHUNK * chunk + page for chunk in range(RESERVE)
                     for page in (0, 1, 2, 255, CHUNK - 2, CHUNK - 1)})
FILE_CHANGES = st.tuples(
    st.sampled_from(("map", "map", "large", "unmap", "leave", "attach", "detach")),
    st.sampled_from(FILE_PAGES), st.sampled_from((1, 2, 3, CHUNK, CHUNK + 1)),
    st.sampled_from(LEFT), st.integers(0, (1 << 31) - 1), st.integers(0, 2))


class File:
    """A file table under three processes, each with rights of its own, and what is expected."""

    def __init__(self, rights):
        memory = Memory()
        self.table, self.rights = FileTable(memory, DEVID, RESERVE), rights
        self.processes = [PageTable(memory) for _ in rights]
        self.attached, self.mapped, self.left = [False] * len(rights), {}, {}

    def apply(self, verb, page, count, disposition, target, who):
        """Makes a change; what is refused changes nothing."""
        first, inside = page, range(page, page + count)
        if verb in ("attach", "detach"):
            attaches = verb == "attach"
            if attaches == self.attached[who]:
                return
            process = self.processes[who]
            if attaches:
                read, write = self.rights[who]
                process.attach(BASE, self.table, read=read, write=write)
            else:
                process.detach(BASE, self.table, disposition=Disposition.OS)
            self.attached[who] = attaches
            return
        if verb == "large":
            first, target = page // CHUNK * CHUNK, target // CHUNK * CHUNK
            inside = range(first, first + CHUNK)
        try:
            if verb == "map":
                self.table.map(page, target * PAGE, count)
            elif verb == "large":
                self.table.map_large(first, target * PAGE)
            elif verb == "unmap":
                self.table.unmap(page, count, disposition=disposition)
            else:
                self.table.set_disposition(page, count, disposition)
        except TableError:
            return
        there = [each in self.mapped for each in inside]
        assert all(there) if verb == "unmap" else not any(there), "this was to be refused"
        for each in inside:
            self.mapped.pop(each, None)
            if verb in ("map", "large"):
                size = Size.PAGE_2M if verb == "large" else Size.PAGE_4K
                self.mapped[each] = target + each - first, size
            else:
                self.left[each] = disposition


@holds_for(examples=300, plan=st.lists(FILE_CHANGES, min_size=1, max_size=10),
           rights=st.lists(st.tuples(BITS, BITS), min_size=3, max_size=3))
def test_a_file_is_granted_with_the_rights_of_each_process(plan, rights):
    file = File(rights)
    for change in plan:
        file.apply(*change)
    model = golden(1, *file.processes)
    for who, (read, write) in enumerate(rights):
        for page in FILE_PAGES:
            for writes in (0, 1):
                access = Access(1, writes, DEVICE, who, BASE + page * PAGE, 0)
                answer = model.translate_page(access, 0)
                if not file.attached[who]:
                    assert answer.cause is Cause.NOT_PRESENT
                elif page not in file.mapped:
                    assert (answer.cause, answer.disposition) == (
                        Cause.NOT_PRESENT, file.left.get(page, Disposition.DENY)), page
                elif not (write if writes else read):
                    assert answer.cause is (Cause.WRITE_DENIED if writes else Cause.READ_DENIED)
                else:
                    target, size = file.mapped[page]
                    assert (answer.cause, answer.addr, answer.size, answer.read, answer.write) == (
                        Cause.OK, target * PAGE, size, read, write)


@pytest.mark.parametrize("levels", [0, 1, 2])
@holds_for(examples=60, pasids=st.dictionaries(st.integers(0, (1 << 20) - 1), st.integers(0, 3),
                                               min_size=1, max_size=6),
           devices=st.dictionaries(st.integers(0, 255), st.integers(0, 1), min_size=1, max_size=4),
           asks=st.lists(st.tuples(st.integers(0, 255), st.integers(0, (1 << 20) - 1)),
                         max_size=6))
def test_directories_lead_to_the_context_of_one_process(levels, pasids, devices, asks):
    """A process on a device reaches its own page, and nobody reaches what has no entry."""
    memory, reach = Memory(), 1 << (7, 16, 20)[levels]
    directory, tables = DeviceDirectory(memory), {}
    contexts = PasidDirectory(memory, levels)
    for pasid, roots in pasids.items():
        if pasid >= reach:
            with pytest.raises(TableError, match="out of reach"):
                contexts.set(pasid)
            continue
        tables[pasid] = [None, None]
        for ft in (0, 1):
            if roots >> ft & 1:
                tables[pasid][ft] = PageTable(memory)
                tables[pasid][ft].map(BASE, (pasid << 1 | ft) * PAGE, devid=7 if ft else None)
        contexts.set(pasid, mem=tables[pasid][0], sto=tables[pasid][1])
    for device, stays in devices.items():
        directory.set(device, devid=7, pasids=contexts)
        if not stays:
            directory.remove(device)
    model = GoldenModel(memory, Mode.TRANSLATE, 0, directory.base, directory.log2)
    for device, pasid in [*asks, *((device, pasid) for device in devices for pasid in pasids)]:
        for ft in (0, 1):
            answer = model.translate_page(Access(ft, 0, device, pasid, BASE, 0), 0)
            roots = tables.get(pasid, (None, None))
            if not devices.get(device):
                assert answer.cause is Cause.DEVICE_INVALID
            elif roots[0] is roots[1] is None:
                assert answer.cause is Cause.PASID_INVALID
            elif roots[ft] is None:
                assert answer.cause is Cause.TABLE_ABSENT
            else:
                assert (answer.cause, answer.addr) == (Cause.OK, (pasid << 1 | ft) * PAGE)
