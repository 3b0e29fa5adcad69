"""Numbers of a command line."""

import argparse

__all__ = ["at_least"]


def at_least(low, kind=int):
    """A type for ``argparse``: a number of ``kind`` that is ``low`` or more."""
    def number(text):
        try:
            value = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
        if not value >= low:
            raise argparse.ArgumentTypeError(f"{text} is too little; choose {low} or more")
        return value
    return number
