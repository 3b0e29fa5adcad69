"""What a user may type wrongly ends in one sentence and a status that is not 0, in all commands."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("line, sentence", [
    ("siommu generate --walks 99 -o x.v", "walks is 99; choose a number from 1 to 16"),
    ("siommu bridge -o /proc/x/y.v", "cannot write /proc/x/y.v: No such file or directory"),
    ("sim.demo --golden --folder /proc/x", "cannot open /proc/x: No such file or directory"),
    ("sim.board.cli info", "say where the board is: --port /dev/ttyUSB0, or --simulate"),
    ("sim.board.cli --port /dev/null info", "cannot open /dev/null: it is no serial port"),
    ("tests.bench --only 99", "there is no figure '99'; choose among 1,"),
    ("tests.bench.soak --translations 0", "argument --translations: 0 is too little; choose 1"),
    ("tests.bench.matrix --only nope", "there is no configuration 'nope'; choose among small,"),
    ("tests.bench.matrix --only default+walks", "has 'walks', which is no change; write walks=4"),
    ("tests.bench.matrix --only default+walks=77", "walks is 77; choose a number from 1 to 16"),
    ("tests.bench.matrix --only default+walk=7", "there is no parameter 'walk'; choose among"),
    ("tests.bench.matrix --jobs x", "argument --jobs: 'x' is no number"),
    ("tests.bench.linux --nope", "unrecognized arguments: --nope"),
    ("tests.linux.stress --minutes 0", "argument --minutes: 0 is too little; choose 0.1 or more"),
    ("tests.linux.stress --plant nope", "no fault nope"),
    ("tests.formal nope", "no proof nope; choose among tlb,"),
    ("tests.mutants nope", "no fault nope; choose among tag-without-ft,"),
    ("fpga.synth --only nope", "there is no configuration 'nope'; choose among small,"),
    ("fpga.synth --seeds 0", "argument --seeds: 0 is too little; choose 1 or more"),
    ("fpga.image.build --mhz 0", "argument --mhz: 0 is too little; choose 1 or more"),
    ("fpga.image.build --board nope", "argument --board: invalid choice: 'nope'"),
    ("scripts.site --nope", "unrecognized arguments: --nope"),
    ("scripts.generate /proc/x", "cannot write /proc/x/"),
    ("sim.qemu run --kernel x", "--kernel and --headers go together"),
])
def test_a_sentence(line, sentence, tmp_path):
    done = subprocess.run([sys.executable, "-m", *line.split()], cwd=ROOT, capture_output=True,
                          text=True, timeout=60, check=False,
                          env={**os.environ, "PYTHONPATH": f"{ROOT / 'hdl'}:{ROOT}",
                               "SIOMMU_INSTALL": "no"})
    if "is missing, and SIOMMU_INSTALL=no forbids" in done.stderr:
        pytest.skip("needs Debian's packages")
    assert done.returncode in (1, 2), done.stdout + done.stderr
    assert sentence in done.stderr and "Traceback" not in done.stderr
    # What argparse adds is how the command is used.
    last = done.stderr.splitlines()[-1]
    assert sentence in last
