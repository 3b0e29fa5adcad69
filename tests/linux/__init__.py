"""A real Linux in QEMU on the emulated SSD, with the core beside it (`make test-linux`)."""
