"""``make demo``: runs the demo on the RTL and shows its output while it runs."""

import sys
import threading
import time

from siommu.generate.files import command

from ..regression import simulator
from .run import DemoError, run


@command
def main():
    print("siommu: running the demo on the exported Verilog", flush=True)
    over = threading.Event()

    def show():
        """Copies what the simulation writes, line by line."""
        shown = 0
        folder = simulator.BUILD / "regress" / "rtl-default"
        began = time.time()
        while True:
            last = over.is_set()
            path = folder / "demo.txt"
            if path.exists() and path.stat().st_mtime >= began:
                text = path.read_text()
                end = text.rfind("\n") + 1
                if end > shown:
                    print(text[shown:end], end="", flush=True)
                    shown = end
            if last:
                return
            time.sleep(.3)

    reader = threading.Thread(target=show)
    reader.start()
    try:
        run()
    except (DemoError, simulator.SimulationError) as error:
        over.set()
        reader.join()
        print(f"siommu: the demo failed: {error}", file=sys.stderr)
        return 1
    over.set()
    reader.join()
    print("siommu: the demo passed: every byte as the originals, every misuse refused")
    return 0


if __name__ == "__main__":
    sys.exit(main())
