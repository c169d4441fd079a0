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
from collections.abc import Callable
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
    plan, file, earlier = _asked()
    console = Console(width=150)
    measured = run(plan, console)
    judged = bars(measured.rates, earlier)
    console.print(report.verdicts(judged))
    if earlier:
        console.print(*report.compared(asdict(plan), measured.capacity, earlier), sep="\n")
    file.parent.mkdir(parents=True, exist_ok=True)
    written = {"plan": asdict(plan), **asdict(measured), "bars": [asdict(bar) for bar in judged]}
    file.write_text(json.dumps(written, indent=2))
    console.print(f"written to {file}")
    return 1 if any(bar.met is False for bar in judged) else 0


def _asked() -> tuple[LoadPlan, Path, dict[str, Any] | None]:
    """The plan, the file to write, and what the earlier run wrote."""
    defaults = LoadPlan()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=_at_least(1), default=defaults.seconds, help="that calls arrive at each rate")
    parser.add_argument(
        "--rates", type=_at_least(LEAST_RATE), nargs="+", default=defaults.rates, help="multiples of capacity"
    )
    parser.add_argument(
        "--kill-every", type=_at_least(0), default=defaults.kill_every_s, help="in seconds; 0: no worker is killed"
    )
    parser.add_argument(
        "--deadline", type=_at_least(0.1), default=defaults.deadline_s, help="of the light tenant's, in seconds"
    )
    parser.add_argument("--capacity", type=_at_least(0.1), help="in searches per second; measured where left out")
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument("--json", type=Path, default=OUT, help="the file that is written")
    parser.add_argument("--against", type=Path, help="the file that a run of an earlier Darwin wrote")
    options = parser.parse_args()
    rates = sorted(set(options.rates))
    earlier = json.loads(options.against.read_text()) if options.against else None
    if earlier and rates[-1] not in (rate["rate"] for rate in earlier["rates"]):
        parser.error(f"{options.against} holds no rate of {rates[-1]:g} to compare with")
    plan = LoadPlan(
        seconds=options.seconds,
        rates=rates,
        kill_every_s=options.kill_every,
        deadline_s=options.deadline,
        seed=options.seed,
        capacity=options.capacity,
    )
    return plan, options.json, earlier


def _at_least(least: float) -> Callable[[str], float]:
    def number(text: str) -> float:
        if not (value := float(text)) >= least:
            raise argparse.ArgumentTypeError(f"must be at least {least:g}")
        return value

    return number


if __name__ == "__main__":
    sys.exit(main())
