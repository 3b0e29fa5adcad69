import os
import random
from contextlib import suppress

import pytest
from hypothesis import strategies as st

from sim.device import ext4
from sim.device.ext4 import Ext4Error, Ext4Image, Extent, MissingTools

from ...support.properties import holds_for

PAGE = 4096


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "files"
    (root / "sub dir").mkdir(parents=True)
    rng = random.Random(3)
    (root / "small").write_bytes(b"x")
    (root / "empty").write_bytes(b"")
    (root / "sub dir" / "large file").write_bytes(rng.randbytes(3_000_000))
    with open(root / "sparse", "wb") as file:
        file.seek(1 << 20)
        file.write(rng.randbytes(10_000))
        file.truncate(3 << 20)
    (root / "link").symlink_to("small")
    return root


@pytest.fixture
def image(folder, tmp_path):
    return Ext4Image.make(folder, tmp_path / "image")


def blocks(image, inode):
    """The file's bytes as its extents say, read from the image file."""
    content = bytearray(-(-inode.size // PAGE) * PAGE)
    with open(image.path, "rb") as file:
        for extent in inode.extents:
            if extent.written:
                file.seek(extent.block * PAGE)
                content[extent.page * PAGE:(extent.page + extent.count) * PAGE] = \
                    file.read(extent.count * PAGE)
    return bytes(content[:inode.size])


@pytest.mark.parametrize("path", ["small", "empty", "sub dir/large file", "sparse"])
def test_extents_lead_to_the_content(image, folder, path):
    inode = image.inode("/" + path)
    assert blocks(image, inode) == (folder / path).read_bytes() == image.content("/" + path)
    assert inode.kind == "regular" and inode.size == (folder / path).stat().st_size


def test_sparse_file_has_holes(image):
    inode = image.inode("/sparse")
    assert inode.extents[0].page == 256 and sum(extent.count for extent in inode.extents) == 3


def test_extents_are_those_of_debugfs(image):
    """Written and unwritten blocks, and holes, in a file of many extents: page by page as debugfs
    says, in a tree with index nodes."""
    number = image.inode("/sparse").number
    held = image.allocate(number, range(40, 80))
    image.mark_written(number, {page: held[page] for page in range(40, 80, 3)})
    image._debugfs(*(f"punch <{number}> {page} {page}" for page in (50, 60)), write=True)
    extents = image.inode(number).extents
    assert len(extents) > 4, "more than an inode has room for"
    held = {extent.page + index: (extent.block + index, extent.written) for extent in extents
            for index in range(extent.count)}
    assert {written for _, written in held.values()} == {False, True}
    # debugfs answers each request with a line: the block, 0 for a hole, "(uninit)"
    lines = image._debugfs(*(f"bmap <{number}> {page}" for page in range(768))).splitlines()
    assert len(lines) == 768
    for page, line in enumerate(lines):
        block, *uninit = line.split()
        assert held.get(page, (0, True)) == (int(block), not uninit), page


def test_walk(image):
    root, folder, file = image.walk("/sub dir//large file")
    assert (root.number, root.kind, folder.kind, file.kind) == (2, "directory", "directory",
                                                                "regular")
    assert root.uid == 0 and image.walk("/") == [root]
    assert image.walk("/link")[-1].kind == "symlink"
    assert image.inode(file.number) == file
    for path, error in (("/nothing", FileNotFoundError), ("/sub dir/nothing", FileNotFoundError),
                        ("/small/x", NotADirectoryError), ("small", FileNotFoundError)):
        with pytest.raises(error):
            image.walk(path)


def test_owner_and_mode(image):
    image.set_owner("/small", 1000, 70_000, 0o4640)
    inode = image.inode("/small")
    assert (inode.uid, inode.gid, inode.mode) == (1000, 70_000, 0o4640)
    image.set_owner("/sub dir", 5, 6, 0o750)
    assert image.inode("/sub dir").kind == "directory"
    with pytest.raises(Ext4Error, match="is a symlink"):
        image.set_owner("/link", 1, 1, 0o777)
    image.check()


@pytest.mark.parametrize("run", [1, 3, 16])
def test_fragmented_file(image, folder, run):
    source = folder / "sub dir" / "large file"
    image.write_fragmented(source, "/sub dir/fragments", run)
    inode = image.inode("/sub dir/fragments")
    assert len(inode.extents) >= 733 // run
    assert max(extent.count for extent in inode.extents) <= run
    assert blocks(image, inode) == source.read_bytes()
    image.check()
    image.write_fragmented(source, "/sub dir/fragments", run)          # replaces it
    inode = image.inode("/sub dir/fragments")
    assert max(extent.count for extent in inode.extents) <= run
    assert blocks(image, inode) == source.read_bytes()
    image.check()
    image.write_fragmented(source, "/sub dir/large file", run)         # one that was contiguous
    assert max(extent.count for extent in image.inode("/sub dir/large file").extents) <= run
    image.check()


def test_fragmented_file_needs_room(folder, tmp_path):
    image = Ext4Image.make(folder, tmp_path / "tight", size=8 << 20)
    with pytest.raises(Ext4Error, match="too little room"):
        image.write_fragmented(folder / "sub dir" / "large file", "/more", 1)


def test_append_and_fill_a_hole(image, folder):
    """What the kernel does: allocate, write the blocks, declare them written, set the size."""
    for path, first, count, size in (("/small", 1, 40, 41 * PAGE - 7), ("/sparse", 5, 3, 3 << 20)):
        inode = image.inode(path)
        before = blocks(image, inode)
        new = image.allocate(inode.number, range(first, first + count))
        assert sorted(new) == list(range(first, first + count))
        assert len(set(new.values())) == count
        assert not any(extent.written for extent in image.inode(path).extents
                       if extent.page <= first < extent.page + extent.count)
        data = os.urandom(count * PAGE)
        with open(image.path, "r+b") as file:
            for index, page in enumerate(sorted(new)):
                file.seek(new[page] * PAGE)
                file.write(data[index * PAGE:(index + 1) * PAGE])
        image.mark_written(inode.number, new)
        image.set_size(inode.number, size)
        image.check()
        expected = bytearray(max(size, len(before)))
        expected[:len(before)] = before
        expected[first * PAGE:(first + count) * PAGE] = data
        assert blocks(image, image.inode(path)) == expected[:size] == image.content(path)
        assert image.allocate(inode.number, new) == new                # nothing new


def test_allocation_fails_when_full(folder, tmp_path):
    image = Ext4Image.make(folder, tmp_path / "tight", size=8 << 20)
    with pytest.raises((OSError, Ext4Error)):
        image.allocate(image.inode("/small").number, range(1, 4096))


def test_e2fsck_notices_damage(image):
    number = image.inode("/small").number
    image.set_size(number, 1 << 30)
    image._debugfs(f"set_inode_field <{number}> blocks 77", write=True)
    with pytest.raises(Ext4Error, match="i_blocks"):
        image.check()


@pytest.mark.parametrize("word, value, sentence", [
    # i_block: magic and entries, room and depth, generation, then entries of three words
    (0, 0x0001_F30B, "has no magic number"), (0, 0x0005_F30A, "more entries than room"),
    (1, 0x0009_0004, "not at its depth"), (1, 0x0001_0004, "outside of it"),
    (4, 0x0000_0000, "has no blocks"), (4, 0x0000_8000, "outside of it"),
    (5, 0x0000_0000, "outside of it"), (5, 0x7FFF_FFFF, "outside of it"),
])
def test_a_damaged_extent_is_refused(image, word, value, sentence):
    number = image.inode("/sub dir/large file").number
    image._debugfs(f"set_inode_field <{number}> block[{word}] {value}", write=True)
    with pytest.raises(Ext4Error, match=f"cannot be read as ext4: .*({sentence})"):
        image.inode(number)


def test_damaged_trees_are_refused(image, folder):
    """Nodes that are reached twice, or lead back to themselves, end in a sentence as well."""
    image.write_fragmented(folder / "sub dir" / "large file", "/pieces", 1)
    number = image.inode("/pieces").number
    # the entry behind the header: first page, block of the node
    leaf = int(image._debugfs(f"dump_extents -n <{number}>").splitlines()[1].split()[7])
    image._debugfs(f"set_inode_field <{number}> block[0] 0x0002F30A",
                   *(f"set_inode_field <{number}> block[{6 + word}] {value}"
                     for word, value in enumerate((1, leaf, 0))), write=True)
    with pytest.raises(Ext4Error, match="not in order"):
        image.inode(number)
    with open(image.path, "r+b") as file:
        file.seek(leaf * PAGE)
        file.write(bytes.fromhex("0AF30100540101000000000000000000"))     # another level, itself
        file.write(leaf.to_bytes(8, "little"))
    with pytest.raises(Ext4Error, match="not at its depth"):
        image.inode(number)


def test_a_damaged_directory_is_refused(image):
    block = int(image._debugfs("bmap <2> 0"))
    with open(image.path, "r+b") as file:
        file.seek(block * PAGE + 4)                     # the first entry's length
        file.write(bytes(2))
    with pytest.raises(Ext4Error, match="directory 2 has an entry of a wrong length"):
        image.inode("/small")


@pytest.mark.parametrize("length", [0, 1500, 5000, 1 << 20])
def test_an_image_that_was_cut_is_refused(image, length):
    os.truncate(image.path, length)
    with pytest.raises(Ext4Error, match="ends too early|shorter than the file system"):
        Ext4Image(image.path)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """An image for many examples, its blocks that are no file's content, and its files."""
    root = tmp_path_factory.mktemp("sound")
    (root / "files" / "folder").mkdir(parents=True)
    for number in range(40):
        (root / "files" / "folder" / f"file {number}").write_bytes(bytes(5000 * number))
    image = Ext4Image.make(root / "files", root / "image", size=4 << 20)
    image.write_fragmented(root / "files" / "folder" / "file 39", "/folder/pieces", 1)
    content = image.path.read_bytes()
    used = [block for block in range(len(content) // PAGE)
            if any(content[block * PAGE:(block + 1) * PAGE])]
    return image, used, [f"/folder/file {number}" for number in (0, 9, 39)] + ["/folder/pieces"]


@holds_for(examples=200, damage=st.lists(st.tuples(
    st.integers(0, 1 << 16), st.integers(0, PAGE - 1), st.integers(0, 255)), min_size=1,
    max_size=6))
def test_no_damage_leads_to_anything_but_a_sentence(sound, damage):
    """Bytes changed wherever the image has any: a file is read, absent, or refused; no other error
    comes out, and nothing goes on without end."""
    image, used, paths = sound
    with open(image.path, "r+b") as file:
        before = []
        for block, offset, value in damage:
            place = used[block % len(used)] * PAGE + offset
            file.seek(place)
            before.append((place, file.read(1)))
            file.seek(place)
            file.write(bytes([value]))
        file.flush()
        try:
            for path in paths:
                with suppress(OSError, Ext4Error):
                    for extent in image.inode(path).extents:
                        assert extent.count and extent.block + extent.count <= 4 << 20 >> 12
        finally:
            for place, value in reversed(before):
                file.seek(place)
                file.write(value)


def test_refusals(image, folder, tmp_path):
    (tmp_path / "nothing").write_bytes(bytes(1 << 20))
    with pytest.raises(Ext4Error):
        Ext4Image(tmp_path / "nothing")
    with pytest.raises(Ext4Error, match="is not a folder"):
        Ext4Image.make(tmp_path / "absent", tmp_path / "x")
    with pytest.raises(Ext4Error, match="cannot be given to debugfs"):
        image.content('/a"b')
    readonly = Ext4Image(image.path, read_only=True)
    with pytest.raises(Ext4Error, match="opened read-only"):
        readonly.set_size(12, 1)
    assert readonly.inode("/small").extents == image.inode("/small").extents
    assert isinstance(readonly.inode("/small").extents[0], Extent)


def test_missing_tools_name_the_package(monkeypatch, folder, tmp_path):
    monkeypatch.setattr(ext4.shutil, "which", lambda *_, **__: None)
    with pytest.raises(MissingTools, match="install the package e2fsprogs"):
        Ext4Image.make(folder, tmp_path / "image")
