"""Results of jobs, kept by what they follow from; campaigns of before; and the page about both."""

import json
from collections import Counter
from datetime import UTC, datetime

from siommu.generate.files import write_whole

from ..support.commit import commit
from ..support.page import rendered
from .jobs import ROOT

__all__ = ["FOLDER", "Archive"]

FOLDER = ROOT / "build" / "campaign"

PAGE = """\
<h1>Campaigns</h1>
<h2>{{ now.kind }}, {{ now.date }}</h2>
<p>{{ now.jobs }} jobs on the sources {{ now.sources }}{% if now.commit %}, commit
{{ now.commit }}{% endif %}: {{ now.passed }} passed,
<span{% if now.failed %} class="bad"{% endif %}>{{ now.failed }} did not</span>,
{{ now.left }} are left. {{ now.kept }} of them had their result before. {{ now.hours }} hours of
work, by {{ now.site }}.</p>
{% if failures %}<h3>What did not pass</h3>
{% for job, result in failures %}<h4 class="bad">{{ job.name }}: {{ result.status }}</h4>
<pre>{{ job.replay }}</pre><pre>{{ result.said | join("\\n") }}</pre>{% endfor %}{% endif %}
<h2>Before</h2>
<table><tr><th>date</th><th>campaign</th><th>commit</th><th>sources</th><th>by</th><th>jobs</th>
<th>passed</th><th>failed</th><th>left</th><th>hours</th></tr>
{% for each in history %}<tr><td>{{ each.date }}</td><td>{{ each.kind }}</td>
<td>{{ each.commit }}</td><td>{{ each.sources }}</td><td>{{ each.site }}</td>
<td class="number">{{ each.jobs }}</td><td class="number">{{ each.passed }}</td>
<td class="number{% if each.failed %} bad{% endif %}">{{ each.failed }}</td>
<td class="number">{{ each.left }}</td><td class="number">{{ each.hours }}</td></tr>
{% endfor %}</table>"""


class Archive:
    """The results of a folder, one file each.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder=FOLDER):
        self.folder = folder

    def result(self, key):
        """What is kept of the job with that key, or None."""
        try:
            return json.loads((self.folder / "results" / f"{key}.json").read_text())
        except FileNotFoundError:
            return None

    def keep(self, key, job, result):
        """Keeps a result that says something about the sources: not that of a lost job."""
        write_whole(self.folder / "results" / f"{key}.json",
                    json.dumps({**result, "job": job.name, "replay": job.replay}) + "\n")

    def history(self):
        """The campaigns of before, the newest one first."""
        path = self.folder / "history.json"
        return json.loads(path.read_text()) if path.exists() else []

    def close(self, kind, site, sources, jobs, results, kept):
        """Writes the page, and adds the campaign to the history; returns what is added.

        ``results``: job to result; what is not in it was left. ``kept``: how many of them had one
        before.
        """
        count = Counter("passed" if result["status"] == "passed" else "failed"
                        for result in results.values())
        now = {"date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", "kind": kind, "site": site,
               "sources": sources, "commit": commit(), "jobs": len(jobs), "kept": kept,
               "passed": count["passed"], "failed": count["failed"],
               "left": len(jobs) - len(results),
               "hours": round(sum(each["seconds"] for each in results.values()) / 3600, 2)}
        history = self.history()
        write_whole(self.folder / "index.html", rendered(
            PAGE, title="campaigns", now=now, history=history,
            failures=[(job, result) for job, result in results.items()
                      if result["status"] != "passed"]))
        write_whole(self.folder / "history.json", json.dumps([now, *history], indent=1) + "\n")
        return now
