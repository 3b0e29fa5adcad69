"""The world around the core: golden model, tables, an SSD, an operating system's part, a demo."""
