"""Tests of the commands around the core: files, set-up, rules of the sources."""
