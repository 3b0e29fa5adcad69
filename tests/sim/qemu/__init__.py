"""The parts between QEMU and the models."""
