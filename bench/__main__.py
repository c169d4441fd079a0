"""Every benchmark, one after another: `python -m bench`."""

import subprocess
import sys

BENCHES = ("bench.metrics", "bench.reward", "bench.service")

if __name__ == "__main__":
    for bench in BENCHES:
        print(f"\n── {bench}", flush=True)
        subprocess.run([sys.executable, "-m", bench], check=True)
