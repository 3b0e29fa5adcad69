#!/usr/bin/env python3
"""FuseSoC's generator of siommu.core: runs ``siommu generate`` or ``siommu bridge`` with the
parameters that a core gives it."""

import sys

from fusesoc.capi2.generator import Generator

from siommu.generate.cli import main

COMMANDS = {"siommu": "generate", "siommu_axi_bridge": "bridge"}


class Siommu(Generator):
    """One Verilog file. FuseSoC runs it in the folder where the file is to be."""

    def run(self):
        """Writes the file, and tells FuseSoC of it."""
        parameters = dict(self.config)
        module = parameters.pop("module", "siommu")
        if module not in COMMANDS:
            sys.exit(f"siommu: there is no module {module}; give {' or '.join(COMMANDS)}")
        words = [COMMANDS[module], "--output", f"{module}.v"]
        for name, value in parameters.items():
            option = f"--{name.replace('_', '-')}"
            if isinstance(value, bool):
                words.append(option if value else f"--no-{option.removeprefix('--')}")
            else:
                words += [option, str(value)]
        status = main(words)
        if status:
            sys.exit(status)
        self.add_files([f"{module}.v"], file_type="verilogSource")


if __name__ == "__main__":
    generator = Siommu()
    generator.run()
    generator.write()
