"""File transfers through the kernel queue: where there is no block yet, or at the file's end."""

from errno import EACCES, EIO, EROFS

from ...device.nvme.defs import PAGE, Command, Io
from ...device.nvme.driver import prp_pages

__all__ = ["KernelTransfer"]

CHUNK_BYTES = 1 << 20                   #: of one command


class KernelTransfer:
    """Moves whole blocks between the kernel's own pages and an SSD, by physical addresses.

    Parameters
    ----------
    memory : Memory
    """

    def __init__(self, memory):
        self._memory = memory

    async def read(self, shared, offset, length):
        """``length`` bytes of the file from ``offset``; holes are zeros."""
        first, last = offset // PAGE, (offset + length - 1) // PAGE
        parts = []
        for _, block, count in shared.runs(first, last - first + 1):
            parts.append(bytes(count * PAGE) if block is None
                         else await self._blocks(shared.ssd, Io.READ, block, count))
        return b"".join(parts)[offset - first * PAGE:][:length]

    async def write(self, opened, offset, data):
        """Writes ``data`` at ``offset``, with the file's lock held; returns its length."""
        shared = opened.shared
        if not opened.writable:
            raise OSError(EACCES, f"{opened.path} is not open for writing")
        if not data:
            return 0
        if shared.ssd.filesystem.read_only:
            raise OSError(EROFS, "the file system is read-only")
        end = offset + len(data)
        shared.check_room(end)
        first, last = offset // PAGE, (end - 1) // PAGE
        if end > shared.size:
            await self._zero_tail(shared)
        missing = [page for page in range(first, last + 1) if page not in shared.blocks]
        # Whole pages are written; what the caller does not cover keeps its content, or is zero.
        head = await self._edge(shared, first)
        tail = head if last == first else await self._edge(shared, last)
        data = head[:offset - first * PAGE] + data + tail[end - last * PAGE:]
        new = shared.ssd.filesystem.allocate(shared.number, missing)
        blocks = {**shared.blocks, **new}
        for page, count in _groups(blocks, first, last):
            await self._blocks(shared.ssd, Io.WRITE, blocks[page], count,
                               data[(page - first) * PAGE:(page + count - first) * PAGE])
        # Only now, with the data in place, do the blocks become the file's: nobody ever sees what
        # was in them before.
        shared.ssd.filesystem.mark_written(shared.number, new)
        if end > shared.size:
            old, shared.size = shared.size, end
            shared.ssd.filesystem.set_size(shared.number, end)
            shared.mark_holes(-(-old // PAGE), first)
        for page in missing:
            shared.map(page, new[page], 1)
        return end - offset

    async def _edge(self, shared, page):
        block = shared.blocks.get(page)
        if block is None:
            return bytes(PAGE)
        return await self._blocks(shared.ssd, Io.READ, block, 1)

    async def _zero_tail(self, shared):
        """Bytes behind the end of the last page may hold anything; a longer file shows them."""
        page, used = divmod(shared.size, PAGE)
        if used and page in shared.blocks:
            content = await self._edge(shared, page)
            if any(content[used:]):
                await self._blocks(shared.ssd, Io.WRITE, shared.blocks[page], 1,
                                   content[:used] + bytes(PAGE - used))

    async def _blocks(self, ssd, opcode, block, count, data=None):
        """Reads or writes ``count`` blocks of 4 KiB through the kernel queue."""
        parts = []
        while count:
            part = min(count, CHUNK_BYTES // PAGE, ssd.driver.max_transfer // PAGE)
            frames = self._memory.alloc_pages(part)
            table = self._memory.alloc_pages()
            try:
                if data is not None:
                    self._memory.write(frames, data[:part * PAGE])
                    data = data[part * PAGE:]
                await self._command(ssd, opcode, block, frames, part * PAGE, table)
                if opcode == Io.READ:
                    parts.append(self._memory.read(frames, part * PAGE))
            finally:
                self._memory.free(frames, part)
                self._memory.free(table)
            block, count = block + part, count - part
        return b"".join(parts)

    async def _command(self, ssd, opcode, block, frames, length, table):
        pages = prp_pages(frames, length)
        prp2 = pages[0] if pages else 0
        if len(pages) > 1:
            self._memory.write(table, b"".join(page.to_bytes(8, "little") for page in pages))
            prp2 = table
        slba = block * PAGE // ssd.lba_bytes
        completion = await ssd.queue.submit(Command(
            opcode, nsid=ssd.nsid, prp1=frames, prp2=prp2, cdw10=slba & 0xFFFFFFFF,
            cdw11=slba >> 32, cdw12=length // ssd.lba_bytes - 1))
        if not completion.ok:
            raise OSError(EIO, f"the SSD answers block {block} with status "
                               f"{completion.status:#05x}")


def _groups(blocks, first, last):
    """(page, count) groups of the pages from ``first`` to ``last`` in neighbouring blocks."""
    page = first
    while page <= last:
        count = 1
        while page + count <= last and blocks[page + count] == blocks[page] + count:
            count += 1
        yield page, count
        page += count
