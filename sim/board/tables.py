"""Tables of a board from a description in JSON.

::

    {"log2": 4,
     "devices": [{"device": 5, "devid": 1, "pasid_levels": 1,
                  "spaces": [{"pasid": 3,
                              "blocks": [{"at": "0x100000", "to": "0x7000", "pages": 2,
                                          "write": false}],
                              "memory": [{"at": "0x400000", "to": "0x9000"}]}]}]}

Numbers may be texts, so that they can be hexadecimal. ``blocks`` are mapped for FT = 1, ``memory``
for FT = 0; ``size`` may be "4K", "2M" or "1G", ``write`` and ``read`` false.
"""

import json

from siommu.arch.formats import Size

from ..memory import MemoryFull
from ..tables import DeviceDirectory, PageTable, PasidDirectory, TableError

__all__ = ["DescriptionError", "build", "read_description"]

SIZES = {"4K": Size.PAGE_4K, "2M": Size.PAGE_2M, "1G": Size.PAGE_1G}


class DescriptionError(Exception):
    """A description that cannot be built. The message is a sentence."""


def read_description(path):
    """The description in the file ``path``.

    Raises
    ------
    DescriptionError
        It cannot be read, or is no JSON.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except OSError as error:
        raise DescriptionError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise DescriptionError(f"{path} is no JSON: {error}") from None


class _Part:
    """A dictionary of the description, whose names are all known and whose numbers are numbers."""

    def __init__(self, where, content, known):
        if not isinstance(content, dict):
            raise DescriptionError(f"{where} must be an object, with {', '.join(known)}")
        for name in content:
            if name not in known:
                raise DescriptionError(f"{where} has {name!r}; it may have {', '.join(known)}")
        self.where, self._content = where, content

    def number(self, name, default=None):
        value = self._content.get(name, default)
        try:
            if isinstance(value, (bool, float)) or value is None:
                raise ValueError
            return int(value, 0) if isinstance(value, str) else int(value)
        except (TypeError, ValueError):
            raise DescriptionError(f"{self.where} needs a number for {name!r}, "
                                   f"not {json.dumps(value)}") from None

    def flag(self, name):
        value = self._content.get(name, True)
        if not isinstance(value, bool):
            raise DescriptionError(f"{self.where} needs true or false for {name!r}")
        return value

    def text(self, name, default, known):
        value = self._content.get(name, default)
        if value not in known:
            raise DescriptionError(f"{self.where} needs one of {', '.join(known)} for {name!r}")
        return known[value]

    def parts(self, name, known):
        value = self._content.get(name, [])
        if not isinstance(value, list):
            raise DescriptionError(f"{self.where} needs a list for {name!r}")
        return [_Part(f"{name}[{index}] of {self.where}", content, known)
                for index, content in enumerate(value)]


def build(memory, description):
    """Builds the tables in ``memory``; returns the ``DeviceDirectory``.

    Raises
    ------
    DescriptionError
        Something is missing, unknown, or does not fit.
    """
    whole = _Part("the description", description, ("log2", "devices"))
    try:
        directory = DeviceDirectory(memory, whole.number("log2", 8))
        for device in whole.parts("devices", ("device", "devid", "pasid_levels", "spaces")):
            pasids = PasidDirectory(memory, device.number("pasid_levels", 1))
            for space in device.parts("spaces", ("pasid", "blocks", "memory")):
                _space(memory, pasids, space, device.number("devid", 0))
            directory.set(device.number("device"), devid=device.number("devid", 0), pasids=pasids)
    except MemoryFull:
        raise DescriptionError("the tables do not fit into the board's memory") from None
    except (TableError, ValueError) as error:
        raise DescriptionError(str(error)) from None
    return directory


def _space(memory, pasids, space, devid):
    tables = []
    for name, owner in (("memory", None), ("blocks", devid)):
        table = PageTable(memory)
        for part in space.parts(name, ("at", "to", "pages", "size", "read", "write")):
            table.map(part.number("at"), part.number("to"), part.number("pages", 1),
                      size=part.text("size", "4K", SIZES), devid=owner, read=part.flag("read"),
                      write=part.flag("write"))
        tables.append(table)
    pasids.set(space.number("pasid"), mem=tables[0], sto=tables[1])
