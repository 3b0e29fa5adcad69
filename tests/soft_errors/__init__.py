"""Bits of memories that flip while the core translates, and what comes of it."""
