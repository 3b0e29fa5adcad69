import os
import random

import pytest

from sim.device import ext4
from sim.device.ext4 import Ext4Error, Ext4Image, Extent, MissingTools

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


def test_refusals(image, folder, tmp_path):
    (tmp_path / "nothing").write_bytes(bytes(1 << 20))
    with pytest.raises(Ext4Error):
        Ext4Image(tmp_path / "nothing")
    with pytest.raises(Ext4Error, match="is not a folder"):
        Ext4Image.make(tmp_path / "absent", tmp_path / "x")
    with pytest.raises(Ext4Error, match="cannot be given to debugfs"):
        image.inode('/a"b')
    readonly = Ext4Image(image.path, read_only=True)
    with pytest.raises(Ext4Error, match="opened read-only"):
        readonly.set_size(12, 1)
    assert readonly.inode("/small").extents == image.inode("/small").extents
    assert isinstance(readonly.inode("/small").extents[0], Extent)


def test_missing_tools_name_the_package(monkeypatch, folder, tmp_path):
    monkeypatch.setattr(ext4.shutil, "which", lambda *_, **__: None)
    with pytest.raises(MissingTools, match="install the package e2fsprogs"):
        Ext4Image.make(folder, tmp_path / "image")
