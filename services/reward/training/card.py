"""What `darwin reward train` leaves in its folder: head, metrics, a profile that serves the head, and a model card."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, StrictUndefined

from services.reward.profiles import SHIPPED as SHIPPED_PROFILES
from services.reward.training.data import Preferences, TrainingPair
from services.reward.training.evaluate import Accuracy
from services.reward.training.features import Caps
from services.reward.training.head import write_head
from services.reward.training.trainer import TrainedHead, TrainingOptions

HEAD = "head.safetensors"
METRICS = "metrics.json"
PROFILE = "profile.yaml"
CARD = "README.md"
_TEMPLATE = Path(__file__).parent / "card.md.j2"
_STATED_NOWHERE = "not stated"

AccuracyTable = tuple[str, list[str], list[list[str]]]
"""Title, columns, rows."""


@dataclass(frozen=True)
class TrainingRecord:
    """What a model card reports: the data, how it was used, the result, and the command that repeats it.

    `licences` are by source; `trunk` identifies the frozen layers. `kept` is what is known of the head whose weights
    were kept.
    """

    preferences: Preferences
    pairs: Sequence[TrainingPair]
    licences: Mapping[str, str]
    caps: Caps
    options: TrainingOptions
    trained: TrainedHead
    trunk: str
    command: str
    kept: Mapping[str, Any] | None = None


def write_artefact(folder: Path, record: TrainingRecord) -> None:
    """Writes the four files into `folder`, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    facts = _facts(record)
    about = {name: facts[name] for name in ("command", "data", "settings", "trunk")}
    about |= {} if record.kept is None else {"weights": record.kept}
    write_head(folder / HEAD, record.trained.head, about)
    (folder / METRICS).write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", "utf-8")
    (folder / PROFILE).write_text(_profile(), "utf-8")
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)
    template = environment.from_string(_TEMPLATE.read_text("utf-8"))
    text = template.render(facts, tables=accuracy_tables(record.trained.accuracies, record.options.cuts))
    (folder / CARD).write_text(text, "utf-8")


def accuracy_tables(accuracies: Sequence[Accuracy], cuts: Sequence[int]) -> list[AccuracyTable]:
    """One per source; a row per scorer with `value [low, high]` at every cut."""
    columns = ["scorer", *(f"first {cut} tokens" for cut in cuts), "whole"]
    tables = []
    for source in dict.fromkeys(accuracy.source for accuracy in accuracies):
        of_source = [accuracy for accuracy in accuracies if accuracy.source == source]
        rows = {accuracy.scorer: [accuracy.scorer] for accuracy in of_source}
        for accuracy in of_source:
            rows[accuracy.scorer].append(f"{accuracy.value:.3f} [{accuracy.low:.3f}, {accuracy.high:.3f}]")
        title = f"{source}: {of_source[0].pairs} pairs, {of_source[0].prompts} prompts"
        tables.append((title, columns, list(rows.values())))
    return tables


def _facts(record: TrainingRecord) -> dict[str, Any]:
    trained, preferences = record.trained, record.preferences
    return {
        "command": record.command,
        "data": {file.name: digest for file, digest in preferences.digests.items()},
        "sources": _sources(record.pairs, record.licences),
        "left_out": {
            "invalid": len(preferences.invalid),
            "blank": preferences.blank,
            "tied": preferences.tied,
            "moved": preferences.moved,
        },
        "settings": {**asdict(record.caps), **asdict(record.options)},
        "trunk": record.trunk,
        "kept": record.kept,
        "loss": {"training": trained.training_loss, "held_out": trained.held_out_loss},
        "spread": trained.spread,
        "bias": trained.head.bias,
        "accuracy": [asdict(accuracy) for accuracy in trained.accuracies],
    }


def _sources(pairs: Sequence[TrainingPair], licences: Mapping[str, str]) -> list[dict[str, Any]]:
    counts = Counter((pair.source, pair.split) for pair in pairs)
    return [
        {
            "source": source,
            "training": counts[source, "train"],
            "held_out": counts[source, "test"],
            "licence": licences.get(source, _STATED_NOWHERE),
        }
        for source in dict.fromkeys(pair.source for pair in pairs)
    ]


def _profile() -> str:
    """The default profile with this head in place of the shipped one."""
    profile = yaml.safe_load((SHIPPED_PROFILES / "default.yaml").read_text("utf-8"))
    components = [
        component | ({"head": HEAD} if component["type"] == "quality" else {}) for component in profile["components"]
    ]
    document = {"description": "The default profile with a head fitted to other preferences.", "components": components}
    text: str = yaml.safe_dump(document, sort_keys=False)
    return text
