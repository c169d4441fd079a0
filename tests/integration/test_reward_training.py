"""`darwin reward train` on a dozen pairs: what it makes is served as it was measured, and made twice it is the same."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from services.reward.profiles import read_profile
from services.reward.quality import QualityScorer
from services.reward.runtime import Runtime
from services.reward.scorer import ScoreItem
from services.reward.training.data import read_preferences
from services.reward.training.features import Caps, Extractor
from services.reward.training.head import read_head

ANSWERS = {
    "How do plants make food?": "Plants turn sunlight, water and carbon dioxide into glucose by photosynthesis.",
    "What is the capital of France?": "The capital of France is Paris, a city on the river Seine.",
    "Why is the sky blue?": "Air scatters short wavelengths of sunlight more than long ones, so the sky looks blue.",
    "How do I boil an egg?": "Lower the egg into boiling water and wait seven minutes for a soft yolk.",
    "What is a prime number?": "A whole number above one which only one and itself divide without remainder.",
    "Who wrote Hamlet?": "William Shakespeare wrote Hamlet around the year 1600.",
}
NOISE = "the the of a 7 %% banana perhaps ()() quickly under under"
CUTS = (4, 8)


def run(*arguments: object, cwd: Path) -> str:
    """The real command in a process of its own; its output."""
    command = [sys.executable, "-m", "cli.main", "reward", "train", *map(str, arguments)]
    root = Path(__file__).parents[2]
    environment = {"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin", "HOME": str(Path.home()), "COLUMNS": "160"}
    environment |= {name: os.environ[name] for name in ("OMP_NUM_THREADS",) if name in os.environ}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("data") / "own.jsonl"
    rows = [
        {"prompt": prompt, "chosen": chosen, "rejected": rejected, "split": "test" if number > 3 else "train"}
        for number, (prompt, chosen) in enumerate(ANSWERS.items())
        for rejected in (NOISE, " ".join(reversed(chosen.split())))
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.fixture(scope="module")
def artefact(data: Path) -> Path:
    out = data.parent / "first"
    shown = run(
        data.name, "--out", out, "--truncate", "4,8", "--gibberish", 2, "--cache", "cache", "--licence", "own=CC0-1.0",
        cwd=data.parent,
    )  # fmt: skip
    assert "12 pairs" in shown
    assert "own: 4 pairs, 2 prompts" in shown
    assert "shipped head" in shown
    return out


def test_the_artefact_is_served_as_it_was_measured(data: Path, artefact: Path) -> None:
    """bfloat16 has noise of up to 0.1 per token, which other batches round differently."""
    quality = next(c for c in read_profile(artefact / "profile.yaml").components if c.type == "quality")
    scorer = QualityScorer(quality.head, Runtime())
    scorer.load()
    pairs = read_preferences([data], 0.2).pairs
    features = Extractor(data.parent / "cache", Caps(cuts=CUTS), Runtime()).extract(pairs, lambda _: None)
    expected = read_head(artefact / "head.safetensors").scores(features.means[:, :, -1])
    items = [ScoreItem(pair.conversation, text) for pair in pairs for text in (pair.chosen, pair.rejected)]
    served = [scorer.score([item])[0].value for item in items]
    np.testing.assert_allclose(served, expected.ravel(), atol=0.15)
    assert (expected[:, 0] > expected[:, 1]).mean() > 0.8


def test_the_artefact_serves_a_bound_and_abstains(data: Path, artefact: Path) -> None:
    head = read_head(artefact / "head.safetensors")
    assert head.posterior is not None
    assert head.familiarity is not None
    scorer = QualityScorer(str(artefact / "head.safetensors"), Runtime(), 1.0, abstain=True)
    scorer.load()
    pair = read_preferences([data], 0.2).pairs[0]
    seen, never, nothing = scorer.score([ScoreItem(pair.conversation, text) for text in (pair.chosen, "漢字" * 40, "")])
    assert (seen.abstained, never.abstained, nothing.abstained) == ("", "out_of_distribution", "empty")


def test_another_run_makes_the_same_head(data: Path, artefact: Path) -> None:
    """From features that are computed afresh, and the samples of the first run."""
    again = data.parent / "again"
    samples = artefact / "gibberish.jsonl"
    assert len(samples.read_text().splitlines()) >= 4
    run(
        data.name, "--out", again, "--truncate", "4,8", "--gibberish-file", samples, "--cache", "afresh",
        cwd=data.parent,
    )  # fmt: skip
    first, second = read_head(artefact / "head.safetensors"), read_head(again / "head.safetensors")
    np.testing.assert_allclose(second.weight, first.weight, rtol=1e-3, atol=1e-3 * np.abs(first.weight).max())
    assert second.bias == pytest.approx(first.bias, abs=1e-3)


def test_the_artefact_tells_how_it_was_made(data: Path, artefact: Path) -> None:
    card = (artefact / "README.md").read_text()
    assert "darwin reward train own.jsonl --out" in card
    assert "| own | 8 | 4 | CC0-1.0 |" in card
    assert "| gibberish | 4 |" in card
    assert "this head" in card
    metrics = json.loads((artefact / "metrics.json").read_text())
    assert metrics["data"].keys() == {"own.jsonl"}
    assert {row["cut"] for row in metrics["accuracy"]} == {4, 8, None}
    assert all(0 <= row["low"] <= row["value"] <= row["high"] <= 1 for row in metrics["accuracy"])
    components = yaml.safe_load((artefact / "profile.yaml").read_text())["components"]
    assert [component["type"] for component in components] == ["quality", "guard", "form", "relevance"]
