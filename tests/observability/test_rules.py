"""The rules: promtool accepts them, each alert is shown to fire and to stay silent, and says where to read on."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.observability.files import PROMETHEUS
from tests.programs import program

RULES: dict[str, Any] = yaml.safe_load((PROMETHEUS / "rules.yaml").read_text())
CASES: dict[str, Any] = yaml.safe_load((PROMETHEUS / "rules_test.yaml").read_text())
ALERTS = {rule["alert"]: rule for group in RULES["groups"] for rule in group["rules"] if "alert" in rule}
TESTED = [test for case in CASES["tests"] for test in case.get("alert_rule_test", ())]


def promtool(*arguments: str) -> str:
    done = subprocess.run([program("promtool"), *arguments], cwd=PROMETHEUS, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_promtool_accepts_rules_and_configuration() -> None:
    promtool("check", "rules", "rules.yaml")
    promtool("check", "config", "--syntax-only", "prometheus.yaml")


def test_alerts_fire_and_stay_silent_as_they_should() -> None:
    assert "SUCCESS" in promtool("test", "rules", "rules_test.yaml")


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_is_tested_both_ways(alert: str) -> None:
    of_alert = [test["exp_alerts"] for test in TESTED if test["alertname"] == alert]
    assert any(of_alert), "no case where it fires"
    assert not all(of_alert), "no case where it stays silent"


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_says_what_to_do(alert: str) -> None:
    annotations = ALERTS[alert]["annotations"]
    page, _, anchor = annotations["runbook"].partition("#")
    text = (Path(__file__).parents[2] / page).read_text()
    assert re.search(rf'<a id="{anchor}"></a>', text)
    assert annotations["summary"]
    assert ALERTS[alert]["labels"]["severity"] in ("page", "ticket")
