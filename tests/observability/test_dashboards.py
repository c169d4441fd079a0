"""Every panel, variable and rule, asked of a live Prometheus that scrapes a simulated stack."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.observability.files import GRAFANA
from tests.observability.prometheus import Prometheus, scraping, until
from tests.observability.test_rules import ALERTS, RULES
from tests.observability.workload import Workload

BOARDS: dict[str, dict[str, Any]] = {path.stem: json.loads(path.read_text()) for path in sorted(GRAFANA.glob("*.json"))}
PANELS = [(name, panel) for name, board in BOARDS.items() for panel in board["panels"] if panel["type"] != "row"]
QUERIES = [
    pytest.param(target["expr"], id=f"{name}: {panel['title']}, {target['legendFormat']}")
    for name, panel in PANELS
    for target in panel["targets"]
]
VARIABLES = [
    pytest.param(variable["query"]["query"], id=f"{name}: {variable['name']}")
    for name, board in BOARDS.items()
    for variable in board["templating"]["list"]
    if variable["type"] == "query"
]


@pytest.fixture(scope="module")
def prometheus(workload: Workload, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with scraping(workload.stack, tmp_path_factory.mktemp("prometheus")) as running:
        # Rates need a second scrape, after more of everything.
        until(lambda: running.query('sum(up{job="darwin"})') == [5.0])
        ended = sum(running.query("sum(darwin_evolutions_total)"))
        workload.run()
        until(lambda: sum(running.query("sum(darwin_evolutions_total)")) >= ended + 12)
        until(lambda: running.query("darwin:gain:ratio1h") != [])
        yield running


def shown(expression: str) -> str:
    """As Grafana sends it, with every variable at "All"."""
    replaced = expression.replace("$__rate_interval", "1m").replace("$__range", "5m")
    return re.sub(r"\$\w+", ".*", replaced)


@pytest.mark.parametrize("expression", QUERIES)
def test_panel_shows_data(prometheus: Prometheus, expression: str) -> None:
    """All do, panels of faults too: the workload has an evolution that fails and one that is cancelled."""
    assert prometheus.query(shown(expression))


@pytest.mark.parametrize("query", VARIABLES)
def test_variable_has_values(prometheus: Prometheus, query: str) -> None:
    parts = re.fullmatch(r"label_values\((.+), (\w+)\)", query)
    assert parts
    assert prometheus.label_values(parts[1], parts[2])


@pytest.mark.parametrize(
    "rule", [rule["record"] for group in RULES["groups"] for rule in group["rules"] if "record" in rule]
)
def test_recording_rule_has_a_value(prometheus: Prometheus, rule: str) -> None:
    assert prometheus.query(rule)


@pytest.mark.parametrize("alert", ALERTS)
def test_alert_can_be_evaluated_and_is_silent(prometheus: Prometheus, alert: str) -> None:
    prometheus.query(ALERTS[alert]["expr"])
    assert prometheus.query(f'ALERTS{{alertname="{alert}", alertstate="firing"}}') == []


@pytest.mark.parametrize(
    ("board", "panel"), PANELS, ids=lambda value: value if isinstance(value, str) else value["title"]
)
def test_panel_explains_itself(board: str, panel: dict[str, Any]) -> None:
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert all(target["legendFormat"] and target["datasource"] == panel["datasource"] for target in panel["targets"])


@pytest.mark.parametrize("name", BOARDS)
def test_board_has_its_place(name: str) -> None:
    board = BOARDS[name]
    assert board["uid"] == f"darwin-{name}"
    assert board["templating"]["list"][0]["type"] == "datasource"
    ids = [panel["id"] for panel in board["panels"]]
    titles = [panel["title"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    assert len(set(titles)) == len(titles)
    cells = [cell for panel in board["panels"] for cell in _cells(panel["gridPos"])]
    assert len(set(cells)) == len(cells), "panels overlap"
    assert max(x for x, _ in cells) < 24


def _cells(at: dict[str, int]) -> list[tuple[int, int]]:
    return [(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])]


def test_files_are_where_they_are_expected() -> None:
    assert set(BOARDS) == {"overview", "search", "stages"}
