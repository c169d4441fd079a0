"""What prices of tokens would have kept and saved: `python -m bench.stopping RESULTS [--prices 0.1,0.2]`.

Replays off line the searches of most cycles that `darwin eval` recorded in the folder RESULTS. A search that stops
after a cycle has the best response until then, so each stop can be told from the record of all cycles. Guide and tokens
are the recorded ones. A judge's score is known of responses that any row of the same question and seed holds; for
others that of the row is taken which was searched with so many cycles; where neither is there, the question is left out
of the judge's means. Plans with `cycles: [1, 2, 3]` have all of them.

The price is chosen on even questions as the one that samples least while it keeps the guide within 0.1 of that of all
cycles, and is shown on odd ones. Regret is in the guide less the price of the tokens, against the fixed number of
cycles that would have been best: below 0 the rule is better than any. Without `--prices` the deciles of what the
recorded cycles were expected to gain per thousand tokens are tried. Prints tables, writes bench/out/stopping.json.
"""

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, quantiles
from typing import Any

from rich.console import Console
from rich.table import Table

from cli.evaluation.rows import Row
from shared.compute.expected_gain import expected_gain
from shared.methods import METHODS

OUT = Path(__file__).parent / "out" / "stopping.json"
KEPT_WITHIN, MOST_TOKENS = 0.1, 0.7

Key = tuple[str, int, int]
"""A question, a seed, and which turn."""


@dataclass(frozen=True)
class CycleEnd:
    """How a search stood after a cycle: all tokens sampled, the best guide's reward, the judge's score of that response
    where it is known, and what a further cycle was expected to gain and to sample; the last cycle has no such."""

    tokens: int
    guide: float
    judge: float | None
    gain: float
    next_tokens: float


@dataclass(frozen=True)
class Searched:
    """A search of several cycles."""

    cell: str
    key: Key
    cycles: tuple[CycleEnd, ...]

    def stop(self, price: float) -> int:
        """After which cycle it stops, counted from 0, at a price of a thousand tokens."""
        for number, end in enumerate(self.cycles[:-1]):
            if end.gain < price * end.next_tokens / 1000:
                return number
        return len(self.cycles) - 1


@dataclass(frozen=True)
class Kept:
    """Means over searches, and which share of the tokens of all cycles they are."""

    rule: str
    guide: float
    judge: float | None
    cycles: float
    tokens: float
    share: float
    regret: float | None = None


class Judged:
    """What the judge said of a question's responses, whichever row holds them."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.places: dict[str, tuple[Row, int]] = {}
        self._of_texts: dict[tuple[Key, str], float] = {}
        self._of_cells: dict[tuple[Key, str], float] = {}
        for row in rows:
            for number, turn in enumerate(row.turns):
                key = (row.question, row.seed, number)
                self.places[turn.evolution] = (row, number)
                pairs = [(turn.answer, turn.judge), (turn.base, turn.base_judge)]
                for text, score in (*pairs, *((each.text, each.judge) for each in turn.candidates)):
                    if score is not None:
                        self._of_texts[key, text] = score
                if turn.judge is not None:
                    self._of_cells[key, _cell(row, int(row.setting.get("cycles", 1)))] = turn.judge

    def score(self, key: Key, row: Row, cycles: int, text: str) -> float | None:
        """Of a response that was the best of its question after so many cycles."""
        found = self._of_texts.get((key, text))
        return self._of_cells.get((key, _cell(row, cycles))) if found is None else found


def _cell(row: Row, cycles: int) -> str:
    others = {name: value for name, value in row.setting.items() if name != "cycles"}
    return f"{row.method} {sorted(others.items())} {cycles}"


def searches(documents: Iterable[dict[str, Any]], judged: Judged) -> list[Searched]:
    """The recorded searches of more than one cycle, all of which were searched."""
    found = []
    for document in documents:
        place = judged.places.get(document["id"])
        if place and document["settings"]["cycles"] > 1:
            ends = tuple(_cycle_ends(document, *place, judged))
            if len(ends) == document["settings"]["cycles"]:
                row, turn = place
                found.append(Searched(row.cell, (row.question, row.seed, turn), ends))
    most = max((len(each.cycles) for each in found), default=0)
    return [each for each in found if len(each.cycles) == most]


def _cycle_ends(document: dict[str, Any], row: Row, turn: int, judged: Judged) -> Iterator[CycleEnd]:
    mutates, mutants = METHODS[document["method"]].mutates, document["settings"]["mutants"]
    key, gains = (row.question, row.seed, turn), list[float]()
    best, base, text, parent = 0.0, 0.0, "", ""
    number = tokens = of_base = 0
    archive, texts = dict[str, float](), list[str]()
    for event in document["events"]:
        match event["type"]:
            case "base.scored":
                best = base = event["reward"]
                text, of_base, archive = event["text"], event["tokens"], {parent: best}
            case "cycle.started":
                parent = event["parent"]
            case "round.finished":
                donors = {item["state"]: item["donor"] for item in event["replacements"]}
                texts = [event["texts"][donors.get(state, state)] for state in range(len(event["texts"]))]
                tokens += event["tokens"]
            case "cycle.finished":
                number += 1
                rewards = event["rewards"]
                gains += [reward - (archive[parent] if mutates else base) for reward in rewards]
                if max(rewards) > best:
                    best = max(rewards)
                    text = texts[rewards.index(best)]
                archive = {entry["instruction"]: entry["reward"] for entry in event["archive"]}
                parents = list(archive.values()) if mutates else [base]
                gain = expected_gain(gains, parents, best, mutants)
                score = judged.score(key, row, number, text)
                yield CycleEnd(of_base + tokens, best, score, gain, tokens / number)


def kept(searched: Sequence[Searched], stops: Sequence[int], rule: str, price: float | None = None) -> Kept:
    """What is kept where each search stops after such a cycle; with a price, the regret at that."""
    ends = [each.cycles[stop] for each, stop in zip(searched, stops, strict=True)]
    tokens = fmean(end.tokens for end in ends)
    scores = [
        end.judge
        for each, end in zip(searched, ends, strict=True)
        if end.judge is not None and all(other.judge is not None for other in each.cycles)
    ]
    regret = None
    if price is not None:
        regret = max(map(fmean, zip(*(_worths(each, price) for each in searched), strict=True)))
        regret -= fmean(end.guide - price * end.tokens / 1000 for end in ends)
    return Kept(
        rule,
        fmean(end.guide for end in ends),
        fmean(scores) if scores else None,
        1 + fmean(stops),
        tokens,
        tokens / fmean(each.cycles[-1].tokens for each in searched),
        regret,
    )


def _worths(searched: Searched, price: float) -> list[float]:
    return [end.guide - price * end.tokens / 1000 for end in searched.cycles]


def fixed(searched: Sequence[Searched]) -> list[Kept]:
    """What every fixed number of cycles keeps."""
    return [
        kept(searched, [number] * len(searched), f"{number + 1} cycle{'s' * (number > 0)}")
        for number in range(len(searched[0].cycles))
    ]


def at_price(searched: Sequence[Searched], price: float) -> Kept:
    """What is kept at a price."""
    return kept(searched, [each.stop(price) for each in searched], f"price {price:.3g}", price)


def usual_prices(searched: Sequence[Searched]) -> list[float]:
    """Deciles of the expected gains per thousand tokens."""
    rates = [1000 * end.gain / max(1.0, end.next_tokens) for each in searched for end in each.cycles[:-1]]
    return quantiles(rates, n=10) if len(rates) > 1 else rates


def chosen_price(searched: Sequence[Searched], prices: Iterable[float]) -> float | None:
    """The price that samples least while it keeps the guide; None where none keeps it."""
    least = fixed(searched)[-1].guide - KEPT_WITHIN
    found = [(at_price(searched, price), price) for price in prices]
    keeping = [(each.tokens, price) for each, price in found if each.guide >= least]
    return min(keeping)[1] if keeping else None


def halves(searched: Sequence[Searched]) -> tuple[list[Searched], list[Searched]]:
    """Even and odd questions, in the order of their names."""
    order = {question: number for number, question in enumerate(sorted({each.key[0] for each in searched}))}
    even, odd = list[Searched](), list[Searched]()
    for each in searched:
        (odd if order[each.key[0]] % 2 else even).append(each)
    return even, odd


def verdict(odd: Sequence[Searched], price: float | None) -> str:
    """Whether the price that was chosen on the even questions keeps on the odd ones what it should."""
    if price is None:
        return f"no price keeps the guide within {KEPT_WITHIN} on the even questions"
    most, found = fixed(odd)[-1], at_price(odd, price)
    differences = {"guide": found.guide - most.guide}
    if most.judge is not None and found.judge is not None:
        differences["judge"] = found.judge - most.judge
    holds = found.share <= MOST_TOKENS and all(each >= -KEPT_WITHIN for each in differences.values())
    told = ", ".join(f"{name} {each:+.3f}" for name, each in differences.items())
    outcome = "holds" if holds else "FAILS"
    return f"price {price:.3g} on odd questions: {told} at {found.share:.0%} of the tokens: {outcome}"


def _table(title: str, rows: Iterable[Kept]) -> Table:
    table = Table("rule", "guide", "judge", "cycles", "tokens", "share", "regret", title=title)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        judge, regret = ("–" if value is None else f"{value:+.3f}" for value in (row.judge, row.regret))
        numbers = (f"{row.guide:+.3f}", judge, f"{row.cycles:.2f}", f"{row.tokens:.0f}", f"{row.share:.0%}", regret)
        table.add_row(row.rule, *numbers)
    return table


def _calibration(searched: Sequence[Searched]) -> Iterator[str]:
    """What cycles were expected to gain, and gained."""
    for number in range(len(searched[0].cycles) - 1):
        expected = fmean(each.cycles[number].gain for each in searched)
        gained = fmean(each.cycles[number + 1].guide - each.cycles[number].guide for each in searched)
        yield f"after cycle {number + 1}: {expected:.3f} expected, {gained:.3f} gained"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--prices", type=lambda text: [float(each) for each in text.split(",")], default=[])
    given = parser.parse_args()
    rows_file = given.results / "rows.jsonl"
    rows_file = rows_file if rows_file.exists() else given.results / "answers.jsonl"
    judged = Judged(Row.model_validate_json(line) for line in rows_file.read_text("utf-8").splitlines())
    with (given.results / "evolutions.jsonl").open(encoding="utf-8") as lines:
        found = searches(map(json.loads, lines), judged)
    if not found:
        parser.error(f"{given.results} holds no search of several cycles that were all searched")
    console, written = Console(), dict[str, Any]()
    for cell in sorted({each.cell for each in found}):
        of_cell = [each for each in found if each.cell == cell]
        prices = given.prices or usual_prices(of_cell)
        rows = [*fixed(of_cell), *(at_price(of_cell, price) for price in prices)]
        console.print(_table(f"{cell}: {len(of_cell)} searches", rows))
        even, odd = halves(of_cell)
        said = verdict(odd, chosen_price(even, prices)) if odd else "one question has no other half"
        for line in (*_calibration(of_cell), said):
            console.print(line, highlight=False)
        written[cell] = {"rows": [asdict(row) for row in rows], "verdict": said}
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(written, indent=2))


if __name__ == "__main__":
    main()
