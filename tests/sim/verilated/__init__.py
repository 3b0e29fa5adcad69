"""The core as a shared library."""
