"""Does credit learn what a reward pays for: `python -m bench.credit QUESTIONS [QUESTIONS …]`.

The reward is the default one less `--price` times log(1 + characters), so that it pays for brevity. Each question is
asked twice with one seed, with `darwin.credit` and without, in the order of the file on a stack of its own: what the
one search earns, later ones draw by. Prints, for each sixth of the questions, the share of mutants whose lines ask for
a longer answer, and what the best response gains over the plain one; then the difference between the two over the
second half of the questions, once credit knows something, with a 95% bootstrap interval.

Rows are kept in bench/out/credit.jsonl.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.service import TEMPLATES
from cli.client import Client
from cli.evaluation.questions import QuestionFilter, read_questions
from cli.evaluation.report.statistics import Bootstrap
from cli.stack import Stack, StackSettings
from services.mutation.line_kinds import KIND_OF, Kind
from services.reward.identity import identity_of_components
from services.reward.profiles import load_profiles

OUT = Path(__file__).parent / "out" / "credit.jsonl"
LONGER = {Kind.EXTEND}
PARTS = 6


@dataclass(frozen=True)
class CreditRow:
    """One search: the lines of its mutants, and the rewards of its answer and of the plain response."""

    question: str
    number: int
    credit: bool
    operators: tuple[str, ...]
    reward: float
    base: float
    characters: int

    @property
    def names(self) -> list[str]:
        return [name for operator in self.operators for name in operator.split("+")]


@contextmanager
def brief_profile(price: float) -> Iterator[Path]:
    """A folder with the profile "brief": as the default, less `price` for each logarithmic unit of length."""
    default = load_profiles(["default"], None)["default"]
    knots = [float(round(value)) for value in np.geomspace(2, 8000, 24)]
    with tempfile.TemporaryDirectory(prefix="darwin-credit-") as name:
        folder = Path(name)
        curve = {
            "components": identity_of_components(default),
            "characters": knots,
            "rewards": [price * float(np.log1p(knot)) for knot in knots],
        }
        (folder / "brief_length.json").write_text(json.dumps(curve))
        components = [
            part.model_dump(mode="json", exclude_defaults=True) | {"type": part.type} for part in default.components
        ]
        profile = {"length_curve": str(folder / "brief_length.json"), "components": components}
        (folder / "brief.yaml").write_text(json.dumps(profile))
        yield folder


def searched(client: Client, number: int, question: str, credit: bool, options: argparse.Namespace) -> CreditRow:
    """Runs one search and reads what became of it."""
    body = {
        "model": "mutation-only",
        "messages": [{"role": "user", "content": question}],
        "max_tokens": options.max_tokens,
        "seed": number,
        "darwin": {"profile": "brief", "mutants": options.mutants, "cycles": 1, "credit": credit},
    }
    evolution_id = client.start(body)["id"]
    operators = tuple(event["operator"] for event in client.events(evolution_id) if event["type"] == "mutant.accepted")
    result = client.get(evolution_id)["result"]
    best = result["choices"][0]
    return CreditRow(question, number, credit, operators, best["reward"], result["base"]["reward"], len(best["text"]))


def table(rows: Sequence[CreditRow], questions: int) -> Table:
    """A row for each part of the questions."""
    shown = Table("questions", title="lines that ask for a longer answer, and gain over the plain response")
    for name in ("drawn with credit", "without", "gain with credit", "without", "characters with", "without"):
        shown.add_column(name, justify="right")
    bounds = np.linspace(0, questions, PARTS + 1).astype(int)
    for low, high in pairwise(bounds):
        part = [row for row in rows if low <= row.number < high]
        arms = [[row for row in part if row.credit is credit] for credit in (True, False)]
        if not all(arms):
            continue
        shares = []
        for arm in arms:
            kinds = [KIND_OF.get(name) in LONGER for row in arm for name in row.names]
            shares.append(f"{np.mean(kinds):.1%}" if kinds else "none")
        gains = [f"{np.mean([row.reward - row.base for row in arm]):+.3f}" for arm in arms]
        lengths = [f"{np.mean([row.characters for row in arm]):.0f}" for arm in arms]
        shown.add_row(f"{low + 1}–{high}", *shares, *gains, *lengths)
    return shown


def difference(rows: Sequence[CreditRow], questions: int) -> str:
    """Of rewards, with credit less without, over the second half."""
    by_number = {(row.number, row.credit): row.reward for row in rows}
    pairs = [
        by_number[number, True] - by_number[number, False]
        for number in range(questions // 2, questions)
        if {(number, True), (number, False)} <= by_number.keys()
    ]
    found = Bootstrap().mean(np.array(pairs))
    assert found is not None
    between = f"[{found.low:+.3f}, {found.high:+.3f}]"
    return f"with credit less without, over {len(pairs)} questions: {found.value:+.3f} {between}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", type=Path, nargs="+")
    parser.add_argument("--evolutions", type=int, default=300)
    parser.add_argument("--engine", default="auto", help="as `darwin up --engine`")
    parser.add_argument("--price", type=float, default=0.5)
    parser.add_argument("--mutants", type=int, default=4)
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--in-flight", type=int, default=4, help="questions at a time, each with two searches")
    options = parser.parse_args()
    choose = QuestionFilter(split="test", single=True, max_characters=600, turns=1)
    asked = read_questions(*options.questions, choose=choose)[: options.evolutions]
    order = np.random.default_rng(0).permutation(len(asked))
    rows: list[CreditRow] = []
    OUT.parent.mkdir(exist_ok=True)
    with brief_profile(options.price) as folder, OUT.open("w") as stream:
        env = TEMPLATES | {"DARWIN_REWARD_PROFILES_DIR": str(folder)}
        with Stack(StackSettings(engine=options.engine, env=env)) as stack, Client(stack.url) as client:

            def both(number: int) -> list[CreditRow]:
                text = asked[order[number]].turns[0]
                with ThreadPoolExecutor(2) as two:
                    return list(two.map(lambda credit: searched(client, number, text, credit, options), (True, False)))

            with ThreadPoolExecutor(options.in_flight) as pool:
                for found in track(pool.map(both, range(len(asked))), "searching", total=len(asked)):
                    rows += found
                    for row in found:
                        stream.write(json.dumps(asdict(row)) + "\n")
                    stream.flush()
    console = Console()
    console.print(table(rows, len(asked)))
    console.print(difference(rows, len(asked)))


if __name__ == "__main__":
    main()
