"""Helpers for structs."""

__all__ = ["assign"]


def assign(target, fields):
    """Statements that assign ``fields``, a dictionary, to the fields of the struct ``target``."""
    return [target[name].eq(value) for name, value in fields.items()]
