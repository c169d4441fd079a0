"""Where rules, dashboards and the collector's configuration are."""

from pathlib import Path

OBSERVABILITY = Path(__file__).parents[2] / "observability"
PROMETHEUS = OBSERVABILITY / "prometheus"
GRAFANA = OBSERVABILITY / "grafana"
COLLECTOR = OBSERVABILITY / "collector"
