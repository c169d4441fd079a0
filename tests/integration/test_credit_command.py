"""`darwin credit` against a Redis."""

import asyncio
import json
import uuid

import pytest
from typer.testing import CliRunner

from cli.credit import app
from shared.records.credit import Gain, Observation
from shared.store.credit import CreditLog


@pytest.fixture
def tenant(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("DARWIN_REDIS_URL", redis_url)
    name = uuid.uuid4().hex

    async def filled() -> None:
        log = CreditLog(redis_url)
        for number in range(3):
            gains = (Gain("shorten", 1.0, 0.0), Gain("ask_long", -1.0, 0.0))
            owner = "acme" if number == 2 else ""
            kept = Observation(f"evo_{number}:1", number + 1.0, "strict", gains, profile_owner=owner)
            await log.add(name, kept, 10, 1000)
        await log.close()

    asyncio.run(filled())
    return name


def test_it_is_shown_exported_and_reset(tenant: str) -> None:
    run = CliRunner()
    shown = run.invoke(app, ["show", tenant], env={"COLUMNS": "160"}).output
    assert shown.index("shorten") < shown.index("ask_long")
    assert "strict (acme)" in shown
    rows = [json.loads(line) for line in run.invoke(app, ["export", tenant]).stdout.splitlines()]
    assert [row["id"] for row in rows] == ["evo_0:1", "evo_1:1", "evo_2:1"]
    assert rows[0]["gains"][1] == {"operator": "ask_long", "reward": -1.0, "growth": 0.0}
    assert run.invoke(app, ["reset", tenant]).exit_code == 0
    assert run.invoke(app, ["export", tenant]).stdout == ""
    assert "shorten" not in run.invoke(app, ["show", tenant]).output
