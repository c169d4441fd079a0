"""The judges that a command names, in the order of its options."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.evaluation.judging import JudgeError, NamedJudge, named_command, named_profile

SHIPPED = ("embedded", "length-blind")
"""The judges of `cli.evaluation.embedded`, which needs numpy and is imported only where one of them judges."""
_LABELLED = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,39})=(.+)", re.DOTALL)


@dataclass(frozen=True)
class JudgeOptions:
    """What the options say: `profiles` of `--judge`, `commands` of `--judge-command`, each perhaps as LABEL=WHAT."""

    profiles: Sequence[str] = ()
    commands: Sequence[str] = ()
    endpoint: str | None = None
    model: str | None = None
    rubric: Path | None = None
    concurrency: int = 8
    version: str = ""


def named_judges(options: JudgeOptions) -> list[NamedJudge]:
    """Every judge; none where none is named.

    Raises:
        JudgeError: an option lacks another, two judges have one name, or a judge cannot be used.
        NotFound, InvalidRequest, Unavailable: as `identity_standalone` raises them.
    """
    found = [_shipped_or_profile(*_labelled(given), options.version) for given in options.profiles]
    found += [named_command(what, options.version, label) for label, what in map(_labelled, options.commands)]
    if options.endpoint and options.model:
        from cli.evaluation.rubric import RUBRIC, Endpoint, named_rubric

        endpoint = Endpoint(options.endpoint, options.model, options.concurrency)
        found.append(named_rubric(endpoint, options.rubric or RUBRIC, options.version))
    elif options.endpoint or options.model or options.rubric:
        raise JudgeError("a judge behind an endpoint needs --judge-endpoint and --judge-model")
    names = [judge.name for judge in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise JudgeError(f"two judges are called {', '.join(twice)}: name one of them, as LABEL={twice[0]}")
    if options.version and not found:
        raise JudgeError("--judge-version is of a judge: give --judge or --judge-command too")
    return found


def _labelled(given: str) -> tuple[str | None, str]:
    """The label that stands before the first =, and the rest; a file's name is never divided."""
    found = None if os.path.isfile(given) else _LABELLED.fullmatch(given)
    return (found.group(1), found.group(2)) if found else (None, given)


def _shipped_or_profile(label: str | None, what: str, version: str) -> NamedJudge:
    if what in SHIPPED:
        from cli.evaluation.embedded import named_embedded

        return named_embedded(what, version, label)
    return named_profile(what, version, label)
