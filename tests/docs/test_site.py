"""The documentation site: what is staged for it. `make docs` builds it, every warning an error."""

import re

import pytest

from scripts.site import reference, stage, waves


@pytest.fixture(scope="module")
def scenes():
    return waves.record()


def staged(text, place="docs"):
    linked = set()
    return stage._relinked(text, place, linked), linked


def test_links_between_pages():
    assert staged("[t](theory.md#lines), [x](#here)")[0] == "[t](/theory.md#lines), [x](#here)"
    assert staged("![p](docs/pictures/read.svg)", "")[0] == "![p](/pictures/read.svg)"
    assert staged("[w](https://example.org/a.md)")[0] == "[w](https://example.org/a.md)"


def test_links_to_files_get_pages():
    text, linked = staged("[m](../linux/main.c), [folder](../linux)")
    assert text == "[m](/files/linux-main.c.md), folder" and linked == {"linux/main.c"}
    page = stage._file_page("linux/main.c")
    assert page.startswith("---\norphan: true\n---\n# linux/main.c\n\n```c\n// SPDX")
    assert "](/theory.md)" in stage._file_page("README.md")


def test_a_link_that_leads_nowhere():
    with pytest.raises(ValueError, match="link to nowhere.md, which does not exist"):
        staged("[n](nowhere.md)")


def test_a_page_that_is_in_no_contents(monkeypatch, tmp_path):
    monkeypatch.setattr(stage, "CONTENTS", {"Begin": ("demo",)})
    with pytest.raises(ValueError, match="contents miss.*theory"):
        stage.stage(tmp_path / "site")


def test_every_package_has_a_page(tmp_path):
    reference.write(tmp_path)
    names = {path.stem for path in tmp_path.glob("*.md")}
    assert {"index", "siommu", "siommu.walk", "sim", "sim.device.nvme"} <= names
    assert ".. automodule:: siommu.walk.entry\n" in (tmp_path / "siommu.walk.md").read_text()


def test_hits_in_the_diagram_are_those_of_the_core(scenes):
    """Five cycles from a request to its answer, one of each per cycle (figure 1)."""
    _, cycles = scenes["Three requests that hit"]
    asked = [index for index, cycle in enumerate(cycles)
             if cycle["dev0_req_valid"] and cycle["dev0_req_ready"]]
    answered = [index for index, cycle in enumerate(cycles) if cycle["dev0_rsp_valid"]]
    assert asked == [0, 1, 2] and answered == [5, 6, 7]


def test_the_miss_in_the_diagram_reads_all_tables(scenes):
    channels, cycles = scenes["A miss, everything cold"]
    bursts = [cycle for cycle in cycles if cycle["m_axi_arvalid"] and cycle["m_axi_arready"]]
    assert len(bursts) == 7 and bursts[-1]["m_axi_arburst"] == 2
    (answer,) = [cycle for cycle in cycles if cycle["dev0_rsp_valid"]]
    assert answer["dev0_rsp_last"] and not answer["dev0_rsp_cause"]
    text = waves.diagram(channels, cycles)
    assert all(len(signal["wave"]) == len(cycles) for group in text["signal"][2:] if group
               for signal in group[1:])


def test_a_run_is_one_beat(scenes):
    _, cycles = scenes["A request of eight blocks"]
    assert [cycle["dev0_rsp_pages"] for cycle in cycles if cycle["dev0_rsp_valid"]] == [7]


def test_waves_of_values():
    assert waves._wave([1, 1, 2, 2, 3], [1, 1, 1, 0, 1]) == ("=.=x=", ["1", "2", "3"])
    assert waves._levels([0, 0, 1, 0]) == "0.10"


def test_titles_and_words_agree(scenes):
    assert set(scenes) == set(waves.WORDS)
    assert not re.search("TODO|FIXME", " ".join(waves.WORDS.values()))
