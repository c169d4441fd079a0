"""Rows with the scores of judges. What the folder keeps of a judge is not scored again."""

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from cli.evaluation.folder import Folder, write_atomically
from cli.evaluation.judging import JudgedResponse, NamedJudge
from cli.evaluation.questions import Question
from cli.evaluation.rows import Candidate, Row, Turn

_SHUFFLED = 200

Progress = Callable[[str, int, int], None]
"""Called with a judge's name, how many responses it has scored, and of how many."""
Scores = Mapping[str, float]
"""Of one judge, by the digest of what it scored."""
Pair = tuple[JudgedResponse, JudgedResponse]


def judge_rows(
    folder: Folder, questions: Sequence[Question], judges: Sequence[NamedJudge], progress: Progress
) -> list[Row]:
    """Every row with the scores of every judge; those of the first are the rows' `judge`.

    Beside the rows, `controls.json` says how often each judge prefers an answer's words in another order to the answer.
    """
    rows = folder.rows()
    contexts = {question.id: question.context for question in questions}
    shuffled = _shuffled(rows, contexts)
    wanted = {pair.digest: pair for row in rows for pair in _responses(row, contexts)}
    wanted |= {pair.digest: pair for both in shuffled for pair in both}
    scores = {judge.name: _scores(folder, judge, wanted, progress) for judge in judges}
    _write_controls(folder, judges, scores, shuffled)
    return [_with_scores(row, contexts, scores) for row in rows]


def _scores(folder: Folder, judge: NamedJudge, wanted: Mapping[str, JudgedResponse], progress: Progress) -> Scores:
    known = {item["pair"]: item["score"] for item in folder.judged if item["judge"] == judge.key}
    missing = [(digest, pair) for digest, pair in wanted.items() if digest not in known]
    waiting, done = iter(missing), 0
    while batch := list(islice(waiting, judge.batch)):
        scored = judge.score([pair for _, pair in batch])
        found = {digest: score for (digest, _), score in zip(batch, scored, strict=True)}
        folder.judged.append(*({"judge": judge.key, "pair": digest, "score": score} for digest, score in found.items()))
        known |= found
        done += len(batch)
        progress(judge.name, done, len(missing))
    return known


def _conversations(row: Row, contexts: Mapping[str, Any]) -> Iterator[tuple[Turn, tuple[dict[str, str], ...]]]:
    messages = [turn.model_dump() for turn in contexts.get(row.question, ())]
    for turn in row.turns:
        messages = [*messages, {"role": "user", "content": turn.prompt}]
        yield turn, tuple(messages)
        messages = [*messages, {"role": "assistant", "content": turn.answer}]


def _responses(row: Row, contexts: Mapping[str, Any]) -> Iterator[JudgedResponse]:
    for turn, messages in _conversations(row, contexts):
        others = (each.text for each in (*turn.candidates, *turn.population))
        for text in (turn.answer, turn.base, *others):
            yield JudgedResponse(messages, text)


def _with_scores(row: Row, contexts: Mapping[str, Any], scores: Mapping[str, Scores]) -> Row:
    turns = []
    for turn, messages in _conversations(row, contexts):

        def judged(text: str, messages: tuple[dict[str, str], ...] = messages) -> dict[str, float]:
            digest = JudgedResponse(messages, text).digest
            return {name: of_judge[digest] for name, of_judge in scores.items()}

        def scored(candidate: Candidate, judged: Callable[[str], dict[str, float]] = judged) -> Candidate:
            judges = judged(candidate.text)
            return candidate.model_copy(update={"judge": _first(judges), "judges": judges})

        answer, base = judged(turn.answer), judged(turn.base)
        update = {
            "judge": _first(answer),
            "judges": answer,
            "base_judge": _first(base),
            "base_judges": base,
            "candidates": tuple(map(scored, turn.candidates)),
            "population": tuple(map(scored, turn.population)),
        }
        turns.append(turn.model_copy(update=update))
    return row.model_copy(update={"turns": tuple(turns)})


def _first(judges: Mapping[str, float]) -> float:
    return next(iter(judges.values()))


def _shuffled(rows: Sequence[Row], contexts: Mapping[str, Any]) -> list[Pair]:
    """Base responses of distinct questions, each beside itself in another order of words."""
    found: dict[str, Pair] = {}
    for row in rows:
        turn, messages = next(_conversations(row, contexts))
        words = turn.base.split()
        if row.question not in found and len(words) > 3:
            random.Random(row.question).shuffle(words)
            found[row.question] = JudgedResponse(messages, turn.base), JudgedResponse(messages, " ".join(words))
    return list(found.values())[:_SHUFFLED]


def _write_controls(
    folder: Folder, judges: Sequence[NamedJudge], scores: Mapping[str, Scores], shuffled: Sequence[Pair]
) -> None:
    def control(judge: NamedJudge) -> dict[str, Any]:
        of_judge = scores[judge.name]
        wins = sum(of_judge[gibberish.digest] > of_judge[real.digest] for real, gibberish in shuffled)
        return {"digest": judge.digest, "pairs": len(shuffled), "gibberish_wins": wins}

    controls = {"gibberish": {judge.name: control(judge) for judge in judges}}
    write_atomically(folder.path / "controls.json", json.dumps(controls, indent=2))
