"""The classifier that is loaded, and how long that takes where nothing else happens.

It is the first half of the embedded language model with a head of random weights: a reward model of 70 million
parameters, as it would be trained, whose rewards mean nothing.
"""

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

import yaml

LAYERS = 12
# Whatever the classifier says, an answer's reward stays within the embedded profile's range.
_WEIGHT = 0.01


@dataclass(frozen=True)
class Alone:
    """Seconds of each load in a process of its own, the first of which imports libraries; bytes that the process has
    grown by until it was ready, and by each load."""

    seconds: list[float]
    lasting_bytes: int
    bytes: list[int]

    @property
    def first_s(self) -> float:
        return self.seconds[0]

    @property
    def later_s(self) -> float:
        return median(self.seconds[1:])


def copies(folder: Path, count: int, model: Path | None) -> list[Path]:
    """As many checkpoints, of different names and the same files: `model`, or one that is made."""
    if model is None:
        model = folder / "classifier"
        subprocess.run([sys.executable, "-m", __name__, "make", str(model)], check=True)
    links = [folder / f"classifier-{number}" for number in range(1, count + 1)]
    for link in links:
        link.symlink_to(model.resolve())
    return links


def with_classifier(checkpoint: Path) -> str:
    """A profile that needs a checkpoint, beside what the embedded profile has loaded already."""
    classifier = {"name": "classifier", "type": "classifier", "weight": _WEIGHT, "model": str(checkpoint)}
    return str(yaml.safe_dump({"components": [*_shipped(1.0), classifier]}))


def without_models(weight: float) -> str:
    """A profile that needs nothing but what the embedded one has loaded already."""
    return str(yaml.safe_dump({"components": _shipped(weight)}))


def _shipped(weight: float) -> list[dict[str, object]]:
    quality = {"name": "quality", "type": "quality", "weight": weight, "head": "quality.safetensors"}
    return [quality, {"name": "guard", "type": "guard", "weight": 1.0}]


def load_alone(checkpoints: list[Path]) -> Alone:
    """Loads one after another in a process of its own."""
    command = [sys.executable, "-m", __name__, "load", *map(str, checkpoints)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return Alone(**json.loads(said.splitlines()[-1]))


def _make(folder: Path) -> None:
    import transformers

    from shared.text.embedded_models import EMBEDDED_LLM, resolve

    source = resolve(EMBEDDED_LLM)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    model = transformers.AutoModelForSequenceClassification.from_pretrained(
        source, num_labels=1, num_hidden_layers=LAYERS
    )
    model.save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(source).save_pretrained(folder)


async def _loaded(checkpoints: list[str]) -> Alone:
    from services.reward.bootstrap import build_rewarder
    from services.reward.memory import taken
    from services.reward.settings import RewardSettings

    empty = taken()
    rewarder = build_rewarder(RewardSettings())
    await rewarder.start()
    seconds, sizes = list[float](), [taken()]
    for number, checkpoint in enumerate(checkpoints):
        began = time.perf_counter()
        await rewarder.load(f"pushed-{number}", with_classifier(Path(checkpoint)))
        seconds.append(time.perf_counter() - began)
        sizes.append(taken())
    await rewarder.stop()
    grown = [max(0, after - before) for before, after in pairwise(sizes)]
    return Alone(seconds, sizes[0] - empty, grown)


if __name__ == "__main__":
    if sys.argv[1] == "make":
        _make(Path(sys.argv[2]))
    else:
        print(json.dumps(vars(asyncio.run(_loaded(sys.argv[2:])))))
