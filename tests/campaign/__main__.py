"""``make campaign KIND=worlds COUNT=1000``: thousands of independent jobs, on all cores of this
machine or, with ``SITE=slurm`` or ``SITE=lsf``, on a cluster that sees the same files.

Results are kept by what they follow from, so that a campaign that was broken off goes on where it
was. What fails comes back with the line that replays it. The page is build/campaign/index.html.
"""

import argparse
import sys
from dataclasses import replace

from sim.arguments import at_least
from siommu.generate.files import command

from .archive import FOLDER, Archive
from .engine import SITES, SiteError, run, site_of
from .jobs import KINDS, jobs_of, sources_digest

__all__ = ["main"]


def _options(arguments):
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--count", type=at_least(1), default=100, metavar="N",
                        help="worlds in all, or seeds of each place (100)")
    parser.add_argument("--seed", type=int, default=1, metavar="N",
                        help="the worlds' seeds follow from it (1)")
    parser.add_argument("--only", type=lambda text: text.split(","), metavar="NAMES",
                        help="configurations, faults or proofs, separated by commas")
    parser.add_argument("--again", action="store_true",
                        help="run what failed once more, although nothing has changed")
    parser.add_argument("--site", default="local", metavar="NAME",
                        help=f"where: {', '.join(SITES)}; campaign.toml has more (local)")
    parser.add_argument("--jobs", type=at_least(1), metavar="N",
                        help="at a time on each node (all cores)")
    options = parser.parse_args(arguments)
    try:
        site = site_of(options.site)
    except SiteError as error:
        parser.error(str(error))
    return options, replace(site, jobs=options.jobs) if options.jobs else site


@command
def main(arguments=None):
    """The command line; returns the exit status."""
    options, site = _options(arguments)
    sources, archive = sources_digest(), Archive()
    jobs = {job.key(sources): job for job in jobs_of(options.kind, options)}
    results = {job: found for key, job in jobs.items() if (found := archive.result(key))
               and (found["status"] == "passed" or not options.again)}
    before, keys = len(results), {job: key for key, job in jobs.items()}
    print(f"siommu: {len(jobs)} jobs, {before} of them have their result; {site.name}, "
          f"{site.jobs} at a time", flush=True)
    try:
        for job, result in run({key: job for key, job in jobs.items() if job not in results}, site):
            results[job] = result
            if result["status"] != "lost":
                archive.keep(keys[job], job, result)
            print(f"siommu: [{len(results)}/{len(jobs)}] {job.name}: {result['status']} "
                  f"[{result['seconds']} s, {result['node']}]", flush=True)
    except KeyboardInterrupt:
        print("siommu: broken off; the same command goes on", flush=True)
    for job, result in results.items():
        if result["status"] != "passed":
            print(f"siommu: {job.name}: {result['status']}: {result['said'][-1:]}; replay it with "
                  f"`{job.replay}`")
    now = archive.close(options.kind, site.name, sources, jobs, results, before)
    print(f"siommu: {now['passed']} passed, {now['failed']} failed, {now['left']} left; "
          f"the page is {FOLDER / 'index.html'}")
    return int(now["passed"] != len(jobs))


if __name__ == "__main__":
    sys.exit(main())
