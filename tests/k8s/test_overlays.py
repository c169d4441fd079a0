"""Every check of every overlay, and of what may be put on top."""

import pytest

from tests.k8s.checks import CHECKS, Check
from tests.k8s.rendering import OVERLAYS, overlay

VARIANTS = [(name, components) for name in OVERLAYS for components in ((), ("tls",), ("tracing",))]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(("name", "components"), VARIANTS, ids=lambda part: part if part else "alone")
def test_overlay(name: str, components: tuple[str, ...], check: Check) -> None:
    assert list(check(overlay(name, *components))) == []
