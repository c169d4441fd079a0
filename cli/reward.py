"""`darwin reward`: the embedded reward model's head from your own preferences, what length predicts of a reward,
and the samples by which rewards become quantiles."""

import math
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.console import reported
from shared.errors import InvalidRequest
from shared.text.embedded_models import cache_dir

app = typer.Typer(help="Reward models of your own.", no_args_is_help=True)

Data = Annotated[list[Path], typer.Argument(help="JSON or JSON lines of preferences (docs/files.md).")]
Out = Annotated[Path, typer.Option(help="Folder for head, profile, metrics and model card.")]
Holdout = Annotated[float, typer.Option(min=0, max=0.9, help="Share of prompts held out where rows name no split.")]
Truncate = Annotated[str, typer.Option(help="Numbers of tokens that responses are also cut to.")]
Partial = Annotated[bool, typer.Option(help="Train on cut responses as well as on whole ones.")]
L2 = Annotated[float, typer.Option(min=1e-6, help="Strength of the penalty on weights.")]
Gibberish = Annotated[int, typer.Option(min=0, max=20_000, help="Training prompts to sample incoherent text for.")]
GibberishFile = Annotated[Path | None, typer.Option(help="The gibberish.jsonl of an earlier run, instead of sampling.")]
Licence = Annotated[list[str] | None, typer.Option(help="SOURCE=LICENCE for the model card; repeatable.")]
Weight = Annotated[list[str] | None, typer.Option(help="SOURCE=NUMBER, how much a pair counts, else 1; repeatable.")]
SkipInvalid = Annotated[bool, typer.Option("--skip-invalid", help="Leave bad lines out, and say how many.")]
PromptTokens = Annotated[int, typer.Option(min=16, max=4096, help="Of a prompt, its last tokens count.")]
ResponseTokens = Annotated[int, typer.Option(min=16, max=4096, help="Of a response, its first tokens count.")]
Seed = Annotated[int, typer.Option(min=0, max=2**31, help="Of sampling and of bootstrap intervals.")]
Threads = Annotated[int, typer.Option(min=1, max=256, help="CPU cores for the frozen layers.")]
Keep = Annotated[Path | None, typer.Option(help="A head whose weights stay: only what stands beside them is fitted.")]
Profile = Annotated[str, typer.Argument(help="A profile's name, or its file.")]
Answers = Annotated[list[Path], typer.Argument(help="Preferences, whose answers are the reference (docs/files.md).")]
Curve = Annotated[Path, typer.Option(help="File for the curve, to be named by the profile's length_curve.")]
SampleFile = Annotated[Path, typer.Option(help="File for the sample, to be named by the profile's reference.")]
Pairs = Annotated[int, typer.Option(min=25, help="At most so many pairs, drawn by the seed, are scored.")]
Cache = Annotated[Path | None, typer.Option(help="Keeps features, so that runs resume; else the user's cache.")]


@app.command()
def train(
    context: typer.Context,
    data: Data,
    out: Out,
    holdout: Holdout = 0.2,
    truncate: Truncate = "40,80,120",
    partial: Partial = True,
    l2: L2 = 1.0,
    gibberish: Gibberish = 0,
    gibberish_file: GibberishFile = None,
    licence: Licence = None,
    weight: Weight = None,
    skip_invalid: SkipInvalid = False,
    prompt_tokens: PromptTokens = 256,
    response_tokens: ResponseTokens = 256,
    seed: Seed = 0,
    threads: Threads = 1,
    keep: Keep = None,
    cache: Cache = None,
) -> None:
    """Fit a head to preference pairs, measure it on held-out ones, and write it with a model card.

    The slow part is one pass of the frozen layers over all text, about 2,000 tokens a second on one core. What it
    computed is kept: an interrupted run resumes, and another one over the same data takes seconds.
    """
    from cli.training import TrainingPlan, run

    console = Console()
    with reported(console):
        plan = TrainingPlan(
            data=tuple(data),
            out=out,
            holdout=holdout,
            cuts=_cuts(truncate, response_tokens),
            partial=partial,
            l2=l2,
            gibberish=gibberish,
            gibberish_file=gibberish_file,
            licences=_by_source("licence", licence or []),
            weights=_weights(weight or []),
            skip_invalid=skip_invalid,
            prompt_tokens=prompt_tokens,
            response_tokens=response_tokens,
            seed=seed,
            threads=threads,
            cache=cache or cache_dir() / "reward-features",
            command=_command(context),
            keep=keep,
        )
        run(plan, console)


@app.command()
def calibrate(
    context: typer.Context,
    profile: Profile,
    data: Answers,
    out: Curve,
    pairs: Pairs = 1000,
    holdout: Holdout = 0.2,
    skip_invalid: SkipInvalid = False,
    seed: Seed = 0,
    threads: Threads = 1,
) -> None:
    """Fit what an answer's length predicts of a profile's reward, for the profile to take away.

    Scores reference answers, fits their mean reward by length, and says how much of the held-out answers' reward goes
    with their length before and after.
    """
    from cli.calibration import CalibrationPlan, run

    console = Console()
    with reported(console):
        plan = CalibrationPlan(
            profile=profile,
            data=tuple(data),
            out=out,
            pairs=pairs,
            holdout=holdout,
            skip_invalid=skip_invalid,
            seed=seed,
            threads=threads,
            command=_command(context),
        )
        run(plan, console)


@app.command()
def sample(
    context: typer.Context,
    profile: Profile,
    data: Answers,
    out: SampleFile,
    pairs: Pairs = 1000,
    skip_invalid: SkipInvalid = False,
    seed: Seed = 0,
    threads: Threads = 1,
) -> None:
    """Take the sample by which components with transform: quantile are measured.

    Scores reference answers, and keeps what each of these components gives for them.
    """
    from cli.sampling import SamplingPlan, run

    console = Console()
    with reported(console):
        plan = SamplingPlan(
            profile=profile,
            data=tuple(data),
            out=out,
            pairs=pairs,
            skip_invalid=skip_invalid,
            seed=seed,
            threads=threads,
            command=_command(context),
        )
        run(plan, console)


def _cuts(text: str, limit: int) -> tuple[int, ...]:
    try:
        cuts = tuple(sorted({int(part) for part in text.split(",") if part.strip()}))
    except ValueError as error:
        raise InvalidRequest(f"--truncate must be numbers of tokens, such as 40,80: {text!r}") from error
    if cuts and not 1 <= cuts[0] <= cuts[-1] <= limit:
        raise InvalidRequest(f"--truncate must stay within 1 and --response-tokens ({limit}): {text!r}")
    return cuts


def _by_source(option: str, given: Sequence[str]) -> dict[str, str]:
    values = dict(text.partition("=")[::2] for text in given)
    if not all(values.values()):
        raise InvalidRequest(f"--{option} must be SOURCE=VALUE: {', '.join(given)!r}")
    return values


def _weights(given: Sequence[str]) -> dict[str, float]:
    try:
        weights = {source: float(value) for source, value in _by_source("weight", given).items()}
    except ValueError as error:
        raise InvalidRequest(f"--weight must be SOURCE=NUMBER: {', '.join(given)!r}") from error
    if not all(0 <= weight < math.inf for weight in weights.values()):
        raise InvalidRequest("--weight takes finite numbers that are not negative; 0 only measures a source")
    return weights


def _command(context: typer.Context) -> str:
    """What the user typed, in the order of the options; for a model card."""
    words = ["darwin", "reward", context.info_name or ""]
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if source is None or source.name != "COMMANDLINE":
            continue
        value = context.params[name]
        values = value if isinstance(value, list | tuple) else [value]
        if parameter.param_type_name == "argument":
            words += [str(item) for item in values]
        elif isinstance(value, bool):
            words.append(parameter.opts[0] if value else parameter.secondary_opts[0])
        else:
            words += [word for item in values for word in (parameter.opts[0], str(item))]
    return shlex.join(words)
