"""Words of the formats as integers, for software, models and tests."""

from amaranth.lib import data

__all__ = ["pack", "unpack", "field_mask"]


def _width(struct):
    return data.Layout.cast(struct).size


def pack(struct, **fields):
    """The integer that holds ``fields`` in the layout of ``struct``; absent fields are 0.

    Raises
    ------
    ValueError
        A field does not exist, or its value does not fit (``Struct.const`` would truncate it).
    """
    layout = data.Layout.cast(struct)
    members = dict(layout)
    value = 0
    for name, content in fields.items():
        if name not in members:
            raise ValueError(f"{struct.__name__} has no field {name!r}; "
                             f"it has {', '.join(map(str, members))}")
        field = members[name]
        content = int(getattr(content, "value", content))
        if not 0 <= content < 1 << field.width:
            raise ValueError(f"{struct.__name__}.{name} has {field.width} bits, "
                             f"and {content:#x} does not fit")
        value |= content << field.offset
    return value


def unpack(struct, value):
    """The fields of ``value`` in the layout of ``struct``, as a dictionary of integers.

    Raises
    ------
    ValueError
        ``value`` has more bits than ``struct``.
    """
    layout = data.Layout.cast(struct)
    if not 0 <= value < 1 << layout.size:
        raise ValueError(f"{struct.__name__} has {layout.size} bits, and {value:#x} does not fit")
    return {name: (value >> field.offset) & ((1 << field.width) - 1) for name, field in layout}


def field_mask(struct, prefix):
    """Mask of the fields of ``struct`` whose names begin with ``prefix`` (``"reserved"``)."""
    mask = 0
    for name, field in data.Layout.cast(struct):
        if str(name).startswith(prefix):
            mask |= ((1 << field.width) - 1) << field.offset
    return mask
