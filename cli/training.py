"""One run of `darwin reward train`: read, sample, extract, fit, write, show."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from cli.console import progress
from services.reward.registry import SHIPPED_HEAD
from services.reward.runtime import Runtime
from services.reward.specs import WEIGHTS
from services.reward.training import negatives
from services.reward.training.card import HEAD, TrainingRecord, accuracy_tables, write_artefact
from services.reward.training.data import Preferences, TrainingPair, read_preferences
from services.reward.training.features import Caps, Extractor, Features, joined
from services.reward.training.head import Head, read_about, read_head
from services.reward.training.trainer import TrainedHead, TrainingOptions, train
from shared.errors import InvalidRequest, NotFound

SAMPLES = "gibberish.jsonl"


@dataclass(frozen=True)
class TrainingPlan:
    """What the command was asked for; `licences` and `weights` are by source, `command` is what was typed, `keep` a
    head whose weights stay."""

    data: tuple[Path, ...]
    out: Path
    holdout: float
    cuts: tuple[int, ...]
    partial: bool
    l2: float
    gibberish: int
    gibberish_file: Path | None
    licences: dict[str, str]
    weights: dict[str, float]
    skip_invalid: bool
    prompt_tokens: int
    response_tokens: int
    seed: int
    threads: int
    cache: Path
    command: str
    keep: Path | None = None


def run(plan: TrainingPlan, console: Console) -> None:
    """Raises DarwinError where the plan or its data cannot be used."""
    if plan.keep is not None and not plan.keep.is_file():
        raise NotFound(f"no such file: {plan.keep}")
    preferences = read_preferences(plan.data, plan.holdout, skip_invalid=plan.skip_invalid)
    console.print(_said(preferences), highlight=False)
    _check_sources(plan, preferences)
    runtime = Runtime(threads=plan.threads)
    samples = _samples(plan, preferences.pairs, runtime, console)
    caps = Caps(plan.prompt_tokens, plan.response_tokens, plan.cuts)
    extractor = Extractor(plan.cache, caps, runtime)
    pairs = (*preferences.pairs, *negatives.paired(preferences.pairs, samples))
    features = _features(extractor, preferences, pairs, console)
    options = TrainingOptions(plan.l2, plan.cuts, plan.partial, plan.seed, plan.weights)
    trained = train(pairs, features, caps, options, _shipped(), read_head(plan.keep) if plan.keep else None)
    about = read_about(plan.keep) if plan.keep else None
    made = TrainingRecord(
        preferences, pairs, plan.licences, caps, options, trained, extractor.trunk_digest, plan.command, about
    )
    write_artefact(plan.out, made)
    if samples:
        negatives.write_samples(plan.out / SAMPLES, samples)
    _show(trained, plan, console)


def _check_sources(plan: TrainingPlan, preferences: Preferences) -> None:
    sources = {pair.source for pair in preferences.pairs} | {negatives.SOURCE}
    unknown = sorted((plan.weights.keys() | plan.licences.keys()) - sources)
    if unknown:
        raise InvalidRequest(f"no pairs are from {', '.join(unknown)}; there are {', '.join(sorted(sources))}")


def _samples(
    plan: TrainingPlan, pairs: Sequence[TrainingPair], runtime: Runtime, console: Console
) -> list[negatives.GibberishSample]:
    if plan.gibberish_file:
        return negatives.read_samples(plan.gibberish_file)
    if not plan.gibberish:
        return []
    rows = negatives.choose_rows(pairs, plan.gibberish, plan.seed)
    with _progress("gibberish", len(negatives.TOP_K) * len(rows), console) as advance:
        return list(negatives.Sampler(runtime).samples(rows, plan.seed, advance))


def _features(
    extractor: Extractor, preferences: Preferences, pairs: Sequence[TrainingPair], console: Console
) -> Features:
    """File by file, so that what is kept of a file serves whatever other files it is used with."""
    groups = [*preferences.files.values(), pairs[len(preferences.pairs) :]]
    with _progress("features", len(pairs), console) as advance:
        return joined([extractor.extract(group, advance) for group in groups if group])


@contextmanager
def _progress(what: str, total: int, console: Console) -> Iterator[Callable[[int], None]]:
    with progress(console) as bars:
        task = bars.add_task(what, total=total)
        yield lambda count: bars.advance(task, count)


def _shipped() -> Head | None:
    file = WEIGHTS / SHIPPED_HEAD
    return read_head(file) if file.is_file() else None


def _said(preferences: Preferences) -> str:
    left_out = {
        "invalid": len(preferences.invalid),
        "with a blank response": preferences.blank,
        "with twice the same response": preferences.tied,
    }
    reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.items() if count)
    return f"{len(preferences.pairs)} pairs" + (f"; left out: {reasons}" if reasons else "")


def _show(trained: TrainedHead, plan: TrainingPlan, console: Console) -> None:
    for title, columns, rows in accuracy_tables(trained.accuracies, plan.cuts):
        table = Table(*columns, title=title, title_justify="left")
        for row in rows:
            table.add_row(*row)
        console.print(table)
    console.print(f"loss: training {trained.training_loss:.4f}, held out {trained.held_out_loss:.4f}", highlight=False)
    console.print(f"wrote {plan.out / HEAD}; `DARWIN_REWARD_PROFILES_DIR={plan.out}` serves it", highlight=False)
