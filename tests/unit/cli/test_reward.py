import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import training
from cli.main import app
from cli.training import TrainingPlan
from services.reward.bootstrap import build_standalone
from services.reward.length import read_curve
from services.reward.profiles import SHIPPED
from services.reward.reference import read_reference
from services.reward.scorer import ComponentScore


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[TrainingPlan]:
    """What the command would run."""
    asked: list[TrainingPlan] = []
    monkeypatch.setattr(training, "run", lambda plan, console: asked.append(plan))
    return asked


def test_the_card_tells_what_was_typed(plans: list[TrainingPlan]) -> None:
    words = "a.jsonl b.jsonl --out o --l2 0.5 --no-partial --skip-invalid --licence a=MIT --licence b=CC0-1.0"
    done = CliRunner().invoke(app, ["reward", "train", *words.split()])
    assert done.exit_code == 0, done.output
    (plan,) = plans
    given = plan.command.split()
    assert given[:3] == ["darwin", "reward", "train"]
    assert sorted(given[3:]) == sorted(words.split())
    assert (plan.data, plan.l2, plan.partial, plan.skip_invalid) == (
        (Path("a.jsonl"), Path("b.jsonl")),
        0.5,
        False,
        True,
    )
    assert plan.licences == {"a": "MIT", "b": "CC0-1.0"}
    assert plan.cuts == (40, 80, 120)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--truncate 40,x", "--truncate must be numbers"),
        ("--truncate 0,40", "--truncate must stay within"),
        ("--truncate 40,300", "--truncate must stay within"),
        ("--weight a", "--weight must be SOURCE=VALUE"),
        ("--weight a=b", "--weight must be SOURCE=NUMBER"),
        ("--weight a=-1", "not negative"),
        ("--weight a=nan", "not negative"),
        ("--licence MIT", "--licence must be SOURCE=VALUE"),
    ],
)
def test_options_that_make_no_sense_are_refused(plans: list[TrainingPlan], words: str, says: str) -> None:
    done = CliRunner().invoke(app, ["reward", "train", "a.jsonl", "--out", "o", *words.split()])
    assert done.exit_code == 1
    assert says in done.output
    assert plans == []


def test_calibrate_fits_what_length_predicts_and_a_profile_takes_it_away(tmp_path: Path) -> None:
    rows = [
        {"prompt": f"Question {n}?", "chosen": "word " * (3 * n + 4), "rejected": "word " * (n + 1)} for n in range(60)
    ]
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "own.json"
    words = ["reward", "calibrate", "simulated", str(tmp_path / "own.jsonl"), "--out", str(out), "--pairs", "55"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "rank correlation of reward and length" in done.output
    curve = read_curve(out)
    assert curve.about["command"].startswith("darwin reward calibrate simulated")
    assert curve.rewards[-1] - curve.rewards[0] > 0.25
    shipped = (SHIPPED / "simulated.yaml").read_text()
    (tmp_path / "short.yaml").write_text(f"length_curve: own.json\n{shipped}")
    profile = build_standalone(str(tmp_path / "short.yaml")).profiles["short"]
    assert profile.length_curve == curve


def test_sample_keeps_what_transformed_components_give_and_a_profile_tells_quantiles(tmp_path: Path) -> None:
    rows = [{"prompt": f"Question {n}?", "chosen": "word " * (n + 9), "rejected": "word " * (n + 1)} for n in range(25)]
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    shipped = (SHIPPED / "simulated.yaml").read_text().replace("weight: 1.0", "weight: 1.0\n    transform: quantile")
    profile, out = tmp_path / "even.yaml", tmp_path / "even.json"
    profile.write_text(f"reference: even.json\n{shipped}")
    words = ["reward", "sample", str(profile), str(tmp_path / "own.jsonl"), "--out", str(out), "--pairs", "25"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    reference = read_reference(out)
    assert reference.about["answers"] == len(reference.samples["simulated"].values) == 50
    [component] = build_standalone(str(profile)).profiles["even"].components
    assert component.values([ComponentScore(-1.0), ComponentScore(9.0)]) == pytest.approx([0.01, 0.99])
    done = CliRunner().invoke(app, ["reward", "sample", "simulated", str(tmp_path / "own.jsonl"), "--out", str(out)])
    assert done.exit_code == 1
    assert "no component with transform: quantile" in done.output


def test_bad_lines_end_the_command_before_any_model_is_loaded(tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text(json.dumps({"prompt": "a", "chosen": True, "rejected": "b"}) + "\n")
    done = CliRunner().invoke(app, ["reward", "train", str(file), "--out", str(tmp_path / "out")])
    assert done.exit_code == 1
    assert f"{file}, line 1: chosen: must be a text" in done.output.replace("\n", "")
    assert not (tmp_path / "out").exists()


def test_the_command_line_loads_no_model_library() -> None:
    code = "import sys, cli.main; print({'torch', 'scipy', 'numpy', 'transformers'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
