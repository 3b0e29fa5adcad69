"""Campaigns on a real cluster scheduler: `make test-cluster`."""
