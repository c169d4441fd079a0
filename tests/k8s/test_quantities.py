from decimal import Decimal

import pytest

from tests.k8s.quantities import quantity


@pytest.mark.parametrize(
    ("text", "value"),
    [("250m", "0.25"), ("1", "1"), (2, "2"), ("1.5Gi", "1610612736"), ("100M", "1E8"), ("1e3", "1000"), (".5", "0.5")],
)
def test_quantity(text: object, value: str) -> None:
    assert quantity(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "1GB", "1 Gi", "Gi", "1gi", "1KiB", "0x10", "1,5", "ten", "1K"])
def test_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="no quantity"):
        quantity(text)
