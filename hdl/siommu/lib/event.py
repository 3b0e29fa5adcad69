"""Events: what one module tells and others hear."""

from amaranth.lib import wiring
from amaranth.lib.wiring import Out

__all__ = ["Event"]


def Event(shape):       # noqa: N802 - stands where ``stream.Signature`` does
    """Signature of what happens in a cycle and is not to be refused.

    ``valid``: it happens; ``payload``, of ``shape``: what is to be known of it. Unlike a stream it
    has no ``ready``, so that ``connect`` joins one that tells with any number that hear.
    """
    return wiring.Signature({"valid": Out(1), "payload": Out(shape)})
