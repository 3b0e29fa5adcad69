"""Campaigns: the engine on this machine with jobs of all endings, what is kept, and the page."""

import dataclasses

import pytest

from tests.campaign import __main__ as campaign
from tests.campaign import jobs as kinds
from tests.campaign.archive import Archive
from tests.campaign.engine import SiteError, run, site_of
from tests.support.jobs import ENDINGS, jobs_in


def test_every_ending(tmp_path):
    """A job that a signal ends, or whose worker dies, is tried again; what it left is removed if
    all is well."""
    root = tmp_path / "tree"
    root.mkdir()
    site = dataclasses.replace(site_of("local"), jobs=2, heartbeat=1)
    results = {job.name: result for job, result in
               run(jobs_in(root), site, tmp_path / "campaign", root)}
    assert {name: result["status"] for name, result in results.items()} == \
        {name: status for name, (_, status) in ENDINGS.items()}
    assert results["wrong"]["said"] == ["a grant that was none"]
    assert "tried 3 times" in results["killed_always"]["said"][0]


def test_a_campaign_goes_on(tmp_path, monkeypatch, capsys):
    """What has a result is not done again, until a source changes."""
    root, done = tmp_path / "tree", []
    root.mkdir()
    jobs = list(jobs_in(root).values())[:2]

    def one_ending(wanted, site):
        for job in wanted.values():
            done.append(job.name)
            yield job, {"status": ENDINGS[job.name][1], "seconds": 36.0, "node": "here",
                        "said": ["a grant <that> was none"]}
    monkeypatch.setattr(campaign, "run", one_ending)
    monkeypatch.setattr(campaign, "jobs_of", lambda kind, options: jobs)
    monkeypatch.setattr(campaign, "Archive", lambda: Archive(tmp_path / "kept"))
    monkeypatch.setattr(campaign, "sources_digest", lambda: "one")
    assert campaign.main(["worlds"]) == 1
    assert done == ["fine", "wrong"]
    assert "replay it with `.venv/bin/python -m wrong`" in capsys.readouterr().out
    assert campaign.main(["worlds"]) == 1 and done == ["fine", "wrong"]
    assert "replay it with" in capsys.readouterr().out      # a failure is told again
    assert campaign.main(["worlds", "--again"]) == 1 and done == ["fine", "wrong", "wrong"]
    monkeypatch.setattr(campaign, "sources_digest", lambda: "another")
    assert campaign.main(["worlds"]) == 1 and done[3:] == ["fine", "wrong"]
    page = (tmp_path / "kept" / "index.html").read_text()
    assert ".venv/bin/python -m wrong" in page and "a grant &lt;that&gt; was none" in page
    history = Archive(tmp_path / "kept").history()
    assert [each["sources"] for each in history] == ["another", "one", "one", "one"]
    assert history[0]["passed"] == 1 and history[0]["hours"] == 0.02


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_jobs(kind):
    """Every kind has jobs, each with a name and a key of its own; the same seed gives the same."""
    options, _ = campaign._options([kind, "--count", "10"])
    jobs = kinds.jobs_of(kind, options)
    assert jobs == kinds.jobs_of(kind, options)
    assert len(jobs) > 2 and len({job.key("sources") for job in jobs}) == len(jobs)
    assert all(job.key("sources") != job.key("others") for job in jobs)
    if kind == "worlds":
        assert sum(len(job.command) - 2 for job in jobs) == 10


def test_sites(tmp_path):
    settings = tmp_path / "campaign.toml"
    settings.write_text('[slurm]\npartition = "long"\nnodes = 4\njobs = 16\n')
    site = site_of("slurm", settings)
    assert (site.partition, site.nodes, site.jobs) == ("long", 4, 16)
    assert site_of("lsf", settings).partition == ""
    with pytest.raises(SiteError, match="no site 'moon'; choose among local, slurm, lsf"):
        site_of("moon", settings)
    settings.write_text('[slurm]\nqueue = "long"\n')
    with pytest.raises(SiteError, match="has queue for slurm; choose among jobs, nodes"):
        site_of("slurm", settings)
    settings.write_text("[slurm")
    with pytest.raises(SiteError, match="is no TOML"):
        site_of("slurm", settings)
