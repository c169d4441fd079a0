"""Each check of schemas finds what it is for."""

import pytest

from tests.k8s.breaking import Break, Broken, cases, of, pod, spec, trigger
from tests.k8s.checks import Check, schemas
from tests.k8s.rendering import overlay

BROKEN: Broken = {
    schemas.follow_their_schemas: {
        "misspelt property": lambda o: pod(o, "reward").update(enableServiceLink=False),
        "wrong type": lambda o: spec(o, "Deployment", "reward").update(paused="no"),
        "KEDA misspelt": lambda o: spec(o, "ScaledObject", "reward").update(fallbck={}),
        "spread without skew": lambda o: pod(o, "reward")["topologySpreadConstraints"][0].pop("maxSkew"),
        "monitor misspelt": lambda o: spec(o, "PodMonitor", "darwin").update(podMetricEndpoints=[]),
        "rule without expression": lambda o: spec(o, "PrometheusRule", "darwin")["groups"][0]["rules"][0].pop("expr"),
    },
    schemas.triggers_are_known_to_keda: {
        "misspelt": lambda o: trigger(o, "reward")["metadata"].update(treshold="4"),
        "unknown": lambda o: trigger(o, "reward").update(type="prometeus"),
    },
}


@pytest.mark.parametrize(("check", "break_"), cases(BROKEN))
def test_check_finds(check: Check, break_: Break) -> None:
    objects = overlay("cpu")
    break_(objects)
    assert list(check(objects)) != []


def test_every_check_is_tried() -> None:
    assert set(BROKEN) == of(schemas)
