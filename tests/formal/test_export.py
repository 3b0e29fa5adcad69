"""Every proof can be exported from the RTL of today: a name that moved is noticed here, long before
`make formal` comes to it. And its twins fit."""

import importlib

import pytest
from amaranth.back import rtlil

from ..mutations import MUTATIONS
from .__main__ import PROOFS


@pytest.mark.parametrize("name", PROOFS)
def test_a_proof_is_exported(name):
    proof = PROOFS[name]
    component = getattr(importlib.import_module(f"tests.formal.{proof.module}"), proof.component)
    text = rtlil.convert(component(), name="top", emit_src=False)
    assert "cell $check" in text or "$assert" in text
    assert "attribute \\top 1" in text


@pytest.mark.parametrize("name", PROOFS)
def test_its_twins_are_planted_faults(name):
    assert set(PROOFS[name].twins) <= set(MUTATIONS)
