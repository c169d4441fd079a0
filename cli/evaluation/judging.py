"""Scores answers with a model that did not select them: a profile, a scorer, or a command."""

import asyncio
import hashlib
import json
import math
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from cli.console import CommandError
from cli.evaluation.folder import Folder

BATCH = 2048
"""Responses that are scored between two saves of scores."""
_AT_ONCE = 64
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
    """A judge, what it is called, and a digest of what it is: scores of another digest are another judge's.

    Its scores are kept after each `batch` responses.
    """

    name: str
    digest: str
    score: Judge
    batch: int = BATCH

    @property
    def key(self) -> str:
        """Under which its scores are kept."""
        return f"{self.name} #{self.digest}"

    def kept_of_others(self, folder: Folder) -> int:
        """How many scores the folder keeps of what had this name and was something else, or did not say what."""
        return sum(
            item["judge"] != self.key and item["judge"].partition(" #")[0] == self.name for item in folder.judged
        )


def named_command(command: str, version: str = "", name: str | None = None) -> NamedJudge:
    """The judge behind a command, called `name` or as the command is.

    What it is, is the command's text, `version`, and the content of every file that the command names; whatever else it
    reads counts only as far as `version` tells.

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
    return NamedJudge(name or command, state.hexdigest(), command_judge(command))


def named_profile(profile: str, version: str = "", name: str | None = None) -> NamedJudge:
    """The judge that is a reward profile or a scorer type, called `name` or as the profile is; raises as
    `identity_standalone` does."""
    from services.reward.bootstrap import identity_standalone

    return NamedJudge(name or profile, digest_of(identity_standalone(profile), version), profile_judge(profile))


def digest_of(*parts: object) -> str:
    """16 hexadecimal digits that depend on nothing but `parts`, values of JSON."""
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=8).hexdigest()


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
