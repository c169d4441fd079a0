"""Scores answers with a model that did not select them: a profile, a scorer, or a command."""

import asyncio
import hashlib
import json
import math
import random
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from cli.console import CommandError
from cli.evaluation.folder import Folder
from cli.evaluation.questions import Question
from cli.evaluation.rows import Row, Turn

_BATCH = 2048
_AT_ONCE = 64
_SHUFFLED = 200
# A judge may repeat texts that are cut within a character; only its numbers count.
_TEXT: dict[str, Any] = {"encoding": "utf-8", "errors": "replace"}


class JudgeError(CommandError):
    """The judge cannot be used, or did not give one number per line."""


@dataclass(frozen=True)
class JudgedResponse:
    """What a judge scores: a conversation, and a response to it."""

    messages: tuple[dict[str, str], ...]
    response: str

    @property
    def digest(self) -> str:
        return hashlib.blake2b(json.dumps([self.messages, self.response]).encode(), digest_size=12).hexdigest()


Judge = Callable[[Sequence[JudgedResponse]], list[float]]
"""Scores responses, in order; higher is better."""


@dataclass(frozen=True)
class NamedJudge:
    """A judge, what it is called, and a digest of what it is: scores of another digest are another judge's."""

    name: str
    digest: str
    score: Judge

    @property
    def key(self) -> str:
        """Under which its scores are kept."""
        return f"{self.name} #{self.digest}"

    def kept_of_others(self, folder: Folder) -> int:
        """How many scores the folder keeps of what had this name and was something else, or did not say what."""
        return sum(
            item["judge"] != self.key and item["judge"].partition(" #")[0] == self.name for item in folder.judged
        )


def named_command(command: str, version: str = "") -> NamedJudge:
    """The judge behind a command. What it is, is the command's text, `version`, and the content of every file that the
    command names; whatever else it reads counts only as far as `version` tells.

    Raises:
        JudgeError: the command cannot be read.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise JudgeError(f"--judge-command cannot be read: {error}") from error
    state = hashlib.blake2b(json.dumps([words, version]).encode(), digest_size=8)
    for file in (Path(word) for word in words):
        if file.is_file():
            with file.open("rb") as stream:
                state.update(hashlib.file_digest(stream, "blake2b").digest())
    return NamedJudge(command, state.hexdigest(), command_judge(command))


def named_profile(name: str, version: str = "") -> NamedJudge:
    """The judge that is a reward profile or a scorer type; raises as `identity_standalone` does."""
    from services.reward.bootstrap import identity_standalone

    digest = hashlib.blake2b(json.dumps([identity_standalone(name), version]).encode(), digest_size=8).hexdigest()
    return NamedJudge(name, digest, profile_judge(name))


def command_judge(command: str, timeout_s: float = 3600) -> Judge:
    """A judge behind `command FILE`: FILE holds lines {"messages", "response"}; stdout the same lines with "judge".

    Raises (when it is called):
        JudgeError: the command fails, takes too long, or its lines are not those asked for.
    """

    def judge(pairs: Sequence[JudgedResponse]) -> list[float]:
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
            file.writelines(json.dumps({"messages": pair.messages, "response": pair.response}) + "\n" for pair in pairs)
            file.flush()
            try:
                done = subprocess.run(
                    [*shlex.split(command), file.name], capture_output=True, timeout=timeout_s, check=True, **_TEXT
                )
            except (OSError, subprocess.SubprocessError) as error:
                tail = getattr(error, "stderr", None) or ""
                raise JudgeError(f"the judge failed: {error}\n{tail[-1000:]}") from error
        return _numbers(done.stdout.split("\n"), len(pairs))

    return judge


def profile_judge(name: str) -> Judge:
    """A reward profile (by name or file) or a scorer type without settings (`quality`, `guard`), in this process.

    Raises:
        NotFound, InvalidRequest: there is no such profile, or it is wrong.
    """
    from services.reward.bootstrap import build_standalone
    from services.reward.validation import ResponseCandidate
    from shared.records.evolution import Message

    rewarder = build_standalone(name)

    async def scores(pairs: Sequence[JudgedResponse]) -> list[float]:
        await rewarder.start()
        try:
            found: list[float] = []
            for start in range(0, len(pairs), _AT_ONCE):
                for messages, group in groupby(pairs[start : start + _AT_ONCE], lambda pair: pair.messages):
                    candidates = [ResponseCandidate(str(number), pair.response) for number, pair in enumerate(group)]
                    conversation = [Message(**message) for message in messages]
                    scored = await rewarder.score(conversation, candidates)
                    found += [score.reward for score in scored.scores]
            return found
        finally:
            await rewarder.stop()

    return lambda pairs: asyncio.run(scores(pairs))


def judge_rows(
    folder: Folder, questions: Sequence[Question], judge: NamedJudge, progress: Callable[[int, int], None]
) -> list[Row]:
    """Every row with the judge's scores; what the folder holds of this very judge is not scored again.

    Beside the rows, `controls.json` says how often the judge prefers an answer to itself with its words shuffled.
    `progress` is called with how many responses are scored, and of how many.
    """
    rows = folder.rows()
    contexts = {question.id: question.context for question in questions}
    shuffled = _shuffled(rows, contexts)
    wanted = [pair for row in rows for pair in _pairs(row, contexts)] + [pair for both in shuffled for pair in both]
    known = {(item["judge"], item["pair"]): item["score"] for item in folder.judged}
    missing = {pair.digest: pair for pair in wanted if (judge.key, pair.digest) not in known}
    open_pairs = iter(missing.items())
    done = 0
    while batch := list(islice(open_pairs, _BATCH)):
        scores = judge.score([pair for _, pair in batch])
        folder.judged.append(
            *({"judge": judge.key, "pair": digest, "score": s} for (digest, _), s in zip(batch, scores, strict=True))
        )
        known.update({(judge.key, digest): s for (digest, _), s in zip(batch, scores, strict=True)})
        done += len(batch)
        progress(done, len(missing))
    scored = {digest: score for (judged_by, digest), score in known.items() if judged_by == judge.key}
    _write_controls(folder, judge, [(scored[a.digest], scored[b.digest]) for a, b in shuffled])
    return [_with_scores(row, contexts, scored) for row in rows]


def _conversations(row: Row, contexts: dict[str, Any]) -> Iterator[tuple[Turn, tuple[dict[str, str], ...]]]:
    messages = [turn.model_dump() for turn in contexts.get(row.question, ())]
    for turn in row.turns:
        messages = [*messages, {"role": "user", "content": turn.prompt}]
        yield turn, tuple(messages)
        messages = [*messages, {"role": "assistant", "content": turn.answer}]


def _pairs(row: Row, contexts: dict[str, Any]) -> Iterator[JudgedResponse]:
    for turn, messages in _conversations(row, contexts):
        for text in (turn.answer, turn.base, *(candidate.text for candidate in turn.candidates)):
            yield JudgedResponse(messages, text)


def _with_scores(row: Row, contexts: dict[str, Any], scored: dict[str, float]) -> Row:
    turns = []
    for turn, messages in _conversations(row, contexts):
        score = {text: scored[JudgedResponse(messages, text).digest] for text in (turn.answer, turn.base)}
        candidates = tuple(
            candidate.model_copy(update={"judge": scored[JudgedResponse(messages, candidate.text).digest]})
            for candidate in turn.candidates
        )
        update = {"judge": score[turn.answer], "base_judge": score[turn.base], "candidates": candidates}
        turns.append(turn.model_copy(update=update))
    return row.model_copy(update={"turns": tuple(turns)})


def _shuffled(rows: Sequence[Row], contexts: dict[str, Any]) -> list[tuple[JudgedResponse, JudgedResponse]]:
    """Base responses of distinct questions, each beside itself in another order of words."""
    found: dict[str, tuple[JudgedResponse, JudgedResponse]] = {}
    for row in rows:
        turn, messages = next(_conversations(row, contexts))
        words = turn.base.split()
        if row.question not in found and len(words) > 3:
            random.Random(row.question).shuffle(words)
            found[row.question] = JudgedResponse(messages, turn.base), JudgedResponse(messages, " ".join(words))
    return list(found.values())[:_SHUFFLED]


def _write_controls(folder: Folder, judge: NamedJudge, scores: Sequence[tuple[float, float]]) -> None:
    from cli.evaluation.folder import write_atomically

    wins = sum(gibberish > real for real, gibberish in scores)
    control = {"judge": judge.name, "digest": judge.digest, "pairs": len(scores), "gibberish_wins": wins}
    write_atomically(folder.path / "controls.json", json.dumps({"gibberish": control}, indent=2))


def _numbers(lines: Sequence[str], count: int) -> list[float]:
    try:
        numbers = [float(json.loads(line)["judge"]) for line in lines if line.strip()]
    except (ValueError, KeyError, TypeError) as error:
        raise JudgeError(f"the judge's lines need a number named judge: {error!r}") from error
    if not all(map(math.isfinite, numbers)):
        raise JudgeError("the judge gave a number that is not finite")
    if len(numbers) != count:
        raise JudgeError(f"the judge gave {len(numbers)} lines for {count}")
    return numbers
