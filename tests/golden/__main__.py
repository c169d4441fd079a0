"""Replays recorded decisions of the paper's own code through the core.

usage: python -m tests.golden DIR     prints a line for each trace in DIR, exits 1 at a difference
"""

import json
import sys
from pathlib import Path
from typing import Any

from services.orchestrator.core import machine
from services.orchestrator.core.values import (
    BASE,
    Config,
    EvolutionState,
    Generate,
    Generated,
    Mutate,
    Mutated,
    MutationEnded,
    Outcome,
    Score,
    Scored,
)
from shared.records.events import CycleFinished, CycleStarted, Event, RoundFinished

_ENDLESS = 10**6


class Difference(AssertionError):
    """The core decided otherwise than the recorded run."""


class RecordedDraws:
    """The draws of a trace, donors in the order in which states were replaced."""

    def __init__(self, trace: dict[str, Any]) -> None:
        self._parents = [int(cycle["parent_draw"]) for cycle in trace["cycles"]]
        self._donors = {
            (c, r): iter(recorded["donor_draws"])
            for c, cycle in enumerate(trace["cycles"], start=1)
            for r, recorded in enumerate(cycle["rounds"], start=1)
        }

    def parent(self, cycle: int, count: int) -> int:
        return self._parents[cycle - 1]

    def donor(self, cycle: int, round: int, state: int, count: int) -> int:
        draw = next(self._donors[cycle, round], None)
        if draw is None:
            raise Difference(f"round {cycle}.{round}: state {state} was not replaced in the recording")
        return int(draw)


class Replay:
    """One trace, performed from its recording."""

    def __init__(self, trace: dict[str, Any]) -> None:
        self.trace = trace
        self.draws = RecordedDraws(trace)
        config = trace["config"]
        self.config = Config(
            cycles=config["cycles"],
            mutants=config["mutants_per_cycle"],
            period=40,
            survivors=config["survivors"],
            lookahead=0,
            mutate=True,
            replace=True,
            max_tokens=_ENDLESS,
            archive_candidates=config["archive_candidates"],
            rescore=True,
        )
        self.decisions = 0

    def run(self) -> None:
        """Raises `Difference` at the first decision that is not the recorded one."""
        evolution, events = machine.begin(self.config, self.trace["instruction"], 0, self.draws)
        self._check(events, evolution)
        while not evolution.finished:
            effect = machine.next_effects(evolution)[0]
            for outcome in self._perform(effect, evolution):
                evolution, events = machine.apply(evolution, outcome, self.draws)
                self._check(events, evolution)
        best = max(evolution.finals, key=lambda final: final.reward or 0.0)
        self._same("result", best.response.text, self.trace["result"]["text"])

    def _perform(self, effect: Any, evolution: EvolutionState) -> list[Outcome]:
        match effect:
            case Mutate(cycle=cycle):
                mutants = self.trace["cycles"][cycle - 1]["mutants"]
                return [*(Mutated(cycle, text) for text in mutants), MutationEnded(cycle)]
            case Generate(state=state):
                piece = {"text": self.trace["base"]["text"], "finished": True}
                if state != BASE:
                    piece = self._round(effect)["generated"][state]
                return [self._generated(effect, evolution, piece)]
            case Score(state=state):
                return [Scored(effect.cycle, effect.round, state, self._score(effect))]
        raise Difference(f"nothing recorded for {effect}")

    def _generated(self, effect: Generate, evolution: EvolutionState, piece: dict[str, Any]) -> Generated:
        before = evolution.base if effect.state == BASE else evolution.population[effect.state]
        text = f"{before.response.text} {piece['text']}".strip()
        finish = "stop" if piece["finished"] else "length"
        return Generated(effect.cycle, effect.round, effect.state, (0,), text, text, finish, 1)

    def _score(self, effect: Score) -> float:
        if effect.state == BASE:
            return float(self.trace["base"]["reward"])
        if effect.final:
            return float(self.trace["cycles"][effect.cycle - 1]["final_rewards"][effect.state])
        return float(self._round(effect)["rewards"][effect.state])

    def _round(self, effect: Generate | Score) -> dict[str, Any]:
        rounds = self.trace["cycles"][effect.cycle - 1]["rounds"]
        if effect.round > len(rounds):
            raise Difference(f"round {effect.cycle}.{effect.round} was not played")
        recorded: dict[str, Any] = rounds[effect.round - 1]
        return recorded

    def _check(self, events: tuple[Event, ...], evolution: EvolutionState) -> None:
        for event in events:
            match event:
                case CycleStarted(cycle=cycle, parent=parent):
                    self._same(f"parent {cycle}", parent, self.trace["cycles"][cycle - 1]["parent"])
                case RoundFinished():
                    self._check_round(event, evolution)
                case CycleFinished():
                    self._check_cycle(event, evolution)

    def _check_round(self, event: RoundFinished, evolution: EvolutionState) -> None:
        cycle = self.trace["cycles"][event.cycle - 1]
        recorded = cycle["rounds"][event.round - 1]
        where = f"round {event.cycle}.{event.round}"
        after = [state.response.text for state in evolution.population]
        self._same(f"{where} survivors", list(event.survivors), recorded["survivors"])
        self._same(f"{where} after", after, recorded["after"])
        self._same(f"{where} finished", list(event.finished), recorded["finished_after"])
        instructions = [state.instruction for state in evolution.population]
        self._same(f"{where} mutants", instructions, cycle["mutants"])

    def _check_cycle(self, event: CycleFinished, evolution: EvolutionState) -> None:
        recorded = self.trace["cycles"][event.cycle - 1]
        where = f"cycle {event.cycle}"
        offered = [{"instruction": entry.instruction, "reward": entry.reward} for entry in event.candidates]
        archive = [[entry.instruction, entry.reward] for entry in event.archive]
        finals = [final.response.text for final in evolution.finals if final.cycle == event.cycle]
        best = max(evolution.finals, key=lambda final: final.reward or 0.0)
        self._same(f"{where} rounds", evolution.rounds - self._rounds_before(event.cycle), len(recorded["rounds"]))
        self._same(f"{where} final texts", finals, recorded["final_texts"])
        self._same(f"{where} archive candidates", offered, recorded["archive_candidates"])
        self._same(f"{where} archive", archive, [list(item) for item in recorded["archive_after"].items()])
        self._same(f"{where} best", best.response.text, recorded["best_text_after"])

    def _rounds_before(self, cycle: int) -> int:
        return sum(len(item["rounds"]) for item in self.trace["cycles"][: cycle - 1])

    def _same(self, what: str, ours: Any, theirs: Any) -> None:
        self.decisions += 1
        if ours != theirs:
            raise Difference(f"{what}: {ours!r}, recorded {theirs!r}")


def check(path: Path) -> str:
    """Replays one trace; returns a line about it, raises `Difference` where the core decides otherwise."""
    replay = Replay(json.loads(path.read_text()))
    replay.run()
    cycles = len(replay.trace["cycles"])
    return f"{path.name}: same, {replay.decisions} decisions in {cycles} cycle(s)"


def main(folder: Path) -> int:
    paths = sorted(folder.glob("*.json"))
    differences = 0 if paths else 1
    if not paths:
        print(f"no trace in {folder}")
    for path in paths:
        try:
            print(check(path))
        except Difference as difference:
            differences += 1
            print(f"{path.name}: DIFFERENT, {difference}")
    return 1 if differences else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1])))
