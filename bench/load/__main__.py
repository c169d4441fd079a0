"""Arrivals that wait for nobody, at half, once and twice what the system can do, while its workers are killed.

python -m bench.load                                # prints tables, writes bench/out/load.json; about ten minutes
python -m bench.load --seconds 15 --deadline 5      # a short one
python -m bench.load --against earlier.json         # the mean time to answer against that of an earlier run

The real gateway, Redis, stages and two workers, over simulated engines that take their time. First it is measured how
many searches per second they answer. Then three tenants with keys of equal weight ask for searches of mixed methods and
sizes, three tenths of them as streams: `light` for a tenth of capacity at every rate, with deadlines; `steady` for 30 %
of all that arrives; `flood` for the rest. Exit code 1 where a promise was not kept.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.load import report
from bench.load.figures import bars
from bench.load.run import LoadPlan, run
from bench.load.workload import LEAST_RATE

OUT = Path(__file__).parents[1] / "out" / "load.json"


def main() -> int:
    defaults = LoadPlan()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=_positive, default=defaults.seconds, help="that calls arrive at each rate")
    parser.add_argument("--rates", type=_rate, nargs="+", default=defaults.rates, help="multiples of capacity")
    parser.add_argument("--kill-every", type=float, default=defaults.kill_every_s, help="seconds; 0: no worker dies")
    parser.add_argument(
        "--deadline", type=_positive, default=defaults.deadline_s, help="of the light tenant, in seconds"
    )
    parser.add_argument("--capacity", type=_positive, help="searches per second; measured where left out")
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument("--json", type=Path, default=OUT, help="the file that is written")
    parser.add_argument("--against", type=Path, help="the file that a run of an earlier Darwin wrote")
    options = parser.parse_args()
    earlier: dict[str, Any] | None = json.loads(options.against.read_text()) if options.against else None
    plan = LoadPlan(
        seconds=options.seconds,
        rates=sorted(set(options.rates)),
        kill_every_s=options.kill_every,
        deadline_s=options.deadline,
        seed=options.seed,
        capacity=options.capacity,
    )
    console = Console(width=150)
    measured = run(plan, console)
    judged = bars(measured.rates, earlier)
    console.print(report.verdicts(judged))
    if earlier:
        console.print(f"the earlier run: capacity {earlier['capacity']:.2f} searches/s, plan {earlier['plan']}")
    options.json.parent.mkdir(parents=True, exist_ok=True)
    written = {"plan": asdict(plan), **asdict(measured), "bars": [asdict(bar) for bar in judged]}
    options.json.write_text(json.dumps(written, indent=2))
    console.print(f"written to {options.json}")
    return 1 if any(bar.met is False for bar in judged) else 0


def _positive(text: str) -> float:
    if not (number := float(text)) > 0:
        raise argparse.ArgumentTypeError("must be above 0")
    return number


def _rate(text: str) -> float:
    if (number := float(text)) < LEAST_RATE:
        raise argparse.ArgumentTypeError(f"must be at least {LEAST_RATE}")
    return number


if __name__ == "__main__":
    sys.exit(main())
