"""The emulated SSD and the file systems on it."""
