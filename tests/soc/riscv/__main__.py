import argparse
import sys

from sim.verilated.build import BuildError
from siommu.generate.files import command

from ...regression.simulator import SimulationError
from . import firmware, model, run


@command
def main():
    argparse.ArgumentParser(
        prog="python -m tests.soc.riscv",
        description="Runs a firmware in C on a simulated RISC-V processor, which brings up the "
                    "SIOMMU. The status is that of the firmware.").parse_args()
    try:
        made = firmware()
        program = model()
    except (BuildError, SimulationError) as error:
        print(f"siommu: {error}", file=sys.stderr)
        return 1
    print(f"siommu: running {made / 'firmware.elf'} on PicoRV32", file=sys.stderr, flush=True)
    return run(program, made).returncode


if __name__ == "__main__":
    sys.exit(main())
