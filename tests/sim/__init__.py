"""Tests of ``sim``, without RTL."""
