"""The computer around the core: operating system, driver, user library."""
