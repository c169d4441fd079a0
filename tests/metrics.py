"""What instruments counted, for tests in one process: OpenTelemetry's in-memory reader behind the global provider."""

from typing import Any

from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

_READER = InMemoryMetricReader()
metrics.set_meter_provider(MeterProvider([_READER]))

Point = tuple[str, tuple[tuple[str, Any], ...]]


def measured() -> dict[Point, float]:
    """Name and attributes → value; of histograms the sum, and the count under the name with `.count`."""
    data = _READER.get_metrics_data()
    found: dict[Point, float] = {}
    for resource in data.resource_metrics if data else ():
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in metric.data.data_points:
                    attributes = tuple(sorted((point.attributes or {}).items()))
                    found[metric.name, attributes] = getattr(point, "value", getattr(point, "sum", 0.0))
                    if hasattr(point, "count"):
                        found[f"{metric.name}.count", attributes] = point.count
    return found


class Measured:
    """A context; afterwards `of(name, **attributes)` is what was added inside it, 0 where nothing was."""

    def __enter__(self) -> "Measured":
        self._before = measured()
        return self

    def __exit__(self, *_: object) -> None:
        self._after = measured()

    def of(self, name: str, **attributes: Any) -> float:
        """Sums over every attribute that is not given; in names of attributes `__` stands for a dot. What was counted
        before, by other tests too, leaves no trace: of differences, digits that only rounding could have made go.
        """
        given = {(key.replace("__", "."), value) for key, value in attributes.items()}
        added = sum(
            value - self._before.get(point, 0.0)
            for point, value in self._after.items()
            if point[0] == name and given <= set(point[1])
        )
        return round(added, 9)
