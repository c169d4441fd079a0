import json
from pathlib import Path

import pytest

from tests.golden.__main__ import check, main

FOLDER = Path(__file__).parent.parent / "golden"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_recorded_decisions_are_reproduced(path: Path) -> None:
    assert "same" in check(path)


def test_a_changed_decision_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = json.loads((FOLDER / "trace_1.json").read_text())
    trace["cycles"][0]["rounds"][1]["survivors"].reverse()
    (tmp_path / "trace.json").write_text(json.dumps(trace))
    assert main(tmp_path) == 1
    assert "DIFFERENT, round 1.2 survivors" in capsys.readouterr().out
    assert main(FOLDER) == 0
