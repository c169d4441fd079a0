"""How often a canary's test errs where two versions are equal, and after how many outcomes it finds a difference:
`python -m bench.canary [--runs 200]`.

Outcomes are 0 or 1, which spread most of all in [0, 1]; the test is looked at after each. What was measured stands in
docs/operations.md.
"""

import argparse
import random
from collections.abc import Iterator
from statistics import median

from rich.console import Console
from rich.table import Table

from shared.records.evidence import Evidence

LEVEL = 0.05
# The promoted version's mean, the canary's, its share, and how many outcomes are looked at.
SCENES = [
    (0.5, 0.5, 0.5, 5_000),
    (0.8, 0.8, 0.1, 5_000),
    (0.5, 0.6, 0.5, 20_000),
    (0.5, 0.6, 0.1, 20_000),
    (0.8, 0.9, 0.1, 20_000),
    (0.5, 0.45, 0.5, 50_000),
]


def outcomes(seed: int, promoted: float, canary: float, share: float, most: int) -> Evidence:
    """What there is to see at the verdict, or after the most outcomes."""
    draw, found = random.Random(seed), Evidence()
    for _ in range(most):
        drawn = draw.random() < share
        outcome = float(draw.random() < (canary if drawn else promoted))
        found = found.with_outcome(outcome, canary=drawn, share=share, level=LEVEL)
        if found.verdict:
            break
    return found


def rows(runs: int) -> Iterator[tuple[str, ...]]:
    """A row of the table for each scene."""
    for promoted, canary, share, most in SCENES:
        ends = [outcomes(seed, promoted, canary, share, most) for seed in range(runs)]
        right = {"better": canary > promoted, "worse": canary < promoted, "": canary == promoted}
        found = sorted(end.after for end in ends if end.verdict and right[end.verdict])
        wrong = sum(not right[end.verdict] for end in ends if end.verdict)
        after = f"{median(found):.0f} ({found[int(0.95 * (len(found) - 1))]})" if found else "-"
        yield f"{promoted:g}", f"{canary:g}", f"{share:g}", str(most), f"{wrong}/{runs}", f"{len(found)}/{runs}", after


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="canaries of each scene")
    table = Table("promoted", "canary", "share", "outcomes", "false verdicts", "true ones", "after, median (p95)")
    for row in rows(parser.parse_args().runs):
        table.add_row(*row)
    Console().print(table)


if __name__ == "__main__":
    main()
