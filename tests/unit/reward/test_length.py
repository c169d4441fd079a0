import json
from pathlib import Path

import numpy as np
import pytest

from services.reward.length import LengthCurve, read_curve
from shared.errors import InvalidRequest, NotFound


def test_between_knots_it_is_a_line_over_the_logarithm_and_beyond_them_constant() -> None:
    curve = LengthCurve(components="", characters=(9, 99), rewards=(1, 3))
    found = [curve.predicted("x" * length) for length in (0, 9, 99, 5000)]
    assert found == pytest.approx([1, 1, 3, 3])
    assert curve.predicted("x" * 30) == pytest.approx(1 + 2 * np.log(31 / 10) / np.log(10))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "no length curve"),
        ('{"components": "a", "characters": [1], "rewards": [1]}', "at least 2"),
        ('{"components": "a", "characters": [1, 2], "rewards": [1]}', "a reward for each"),
        ('{"components": "a", "characters": [2, 2], "rewards": [1, 1]}', "ascend"),
        ('{"characters": [1, 2], "rewards": [1, 1]}', "Field required"),
        ('{"components": "a", "characters": [1, 2], "rewards": [1, NaN]}', "finite"),
    ],
)
def test_what_is_no_curve_is_refused(tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "curve.json").write_text(content)
    with pytest.raises(InvalidRequest, match=says) as caught:
        read_curve(tmp_path / "curve.json")
    assert caught.value.field == "length_curve"


def test_it_survives_its_file(tmp_path: Path) -> None:
    curve = LengthCurve(components="a", characters=(1, 2), rewards=(0, 1), about={"answers": 3})
    (tmp_path / "curve.json").write_text(curve.model_dump_json())
    assert read_curve(tmp_path / "curve.json") == curve
    assert json.loads((tmp_path / "curve.json").read_text())["about"] == {"answers": 3}
    with pytest.raises(NotFound, match="absent"):
        read_curve(tmp_path / "absent.json")
