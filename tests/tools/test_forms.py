"""Forms of the Verilog that the regression runs on."""

import re

import pytest

from tests.regression import forms
from tests.support.exported import exported


def test_nothing_has_an_initial_value():
    """But for the dummies that make a block run once; and nothing else is changed."""
    text = exported("small")
    bare = forms.without_initial_values(text)
    initial = r"^  reg .* = .*;$|^  initial begin$"
    assert len(re.findall(initial, text, re.M)) > 500
    assert not re.findall(initial, bare, re.M)
    dummies = r"^  initial (\w+) <= 0;$"
    assert re.findall(dummies, bare, re.M) == re.findall(dummies, text, re.M)
    lines = forms._MEMORY.sub("", text).splitlines()
    for line, without in zip(lines, bare.splitlines(), strict=True):
        assert without == line or \
            line.startswith("  reg ") and without == line.split(" = ")[0] + ";"


def test_names(monkeypatch):
    monkeypatch.setenv("FORM", "gates")
    with pytest.raises(ValueError, match="no form 'gates'; choose among exported, undefined, netl"):
        forms.form()
    monkeypatch.setenv("FORM", "undefined")
    monkeypatch.setenv("SEED", "6")
    assert forms.options() == ["+verilator+rand+reset+2", "+verilator+seed+7"]
    monkeypatch.delenv("FORM")
    assert forms.options() == []
