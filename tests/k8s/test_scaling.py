"""Each check of scaling finds what it is for."""

import pytest

from tests.k8s.breaking import Break, Broken, cases, found, of, scale_down, spec, tell, trigger
from tests.k8s.checks import Check, scaling
from tests.k8s.rendering import overlay

BROKEN: Broken = {
    scaling.each_process_scales_by_its_own_signal: {
        "none": lambda o: o.all.remove(found(o, "ScaledObject", "reward")),
        "number": lambda o: spec(o, "Deployment", "reward").update(replicas=2),
        "alone": lambda o: spec(o, "ScaledObject", "orchestrator").update(minReplicaCount=1),
    },
    scaling.scaling_down_ends_no_work: {
        "nervous": lambda o: scale_down(o, "reward").update(stabilizationWindowSeconds=0),
        "many": lambda o: scale_down(o, "reward")["policies"][0].update(value=4),
        "share": lambda o: scale_down(o, "reward")["policies"][0].update(type="Percent"),
        "together": lambda o: scale_down(o, "orchestrator")["policies"][0].update(periodSeconds=60),
        "gateway": lambda o: spec(o, "HorizontalPodAutoscaler", "gateway").pop("behavior"),
    },
    scaling.nothing_known_stops_nothing: {
        "no fallback": lambda o: spec(o, "ScaledObject", "reward").pop("fallback"),
        "fixed": lambda o: spec(o, "ScaledObject", "reward")["fallback"].pop("behavior"),
        "series": lambda o: trigger(o, "reward")["metadata"].pop("ignoreNullValues"),
        "value": lambda o: trigger(o, "reward").update(metricType="Value"),
    },
    scaling.the_queue_is_the_one_workers_read: {
        "name": lambda o: trigger(o, "orchestrator")["metadata"].update(listName="celery"),
        "database": lambda o: trigger(o, "orchestrator")["metadata"].update(databaseIndex="1"),
        "address": lambda o: trigger(o, "orchestrator")["metadata"].update(address="redis:6379"),
        "password": lambda o: trigger(o, "orchestrator").pop("authenticationRef"),
    },
    scaling.full_replicas_call_for_more: {
        "workers": lambda o: tell(o, "orchestrator", "DARWIN_ORCHESTRATOR_CONCURRENCY", "8"),
        "sequences": lambda o: trigger(o, "generation", 1)["metadata"].update(threshold="64"),
    },
}


@pytest.mark.parametrize(("check", "break_"), cases(BROKEN))
def test_check_finds(check: Check, break_: Break) -> None:
    objects = overlay("cpu")
    break_(objects)
    assert list(check(objects)) != []


def test_every_check_is_tried() -> None:
    assert set(BROKEN) == of(scaling)
