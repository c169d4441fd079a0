"""Every object by its published schema, none with a property that it does not have."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate

from tests.k8s.objects import Object, Objects

VERSIONS = ("1.32", "1.37")
"""Of Kubernetes: the oldest and the newest that are checked."""
_SCHEMAS = Path(__file__).parents[1] / "schemas"
_FILES = {
    "ScaledObject": "scaledobject_v1alpha1",
    "TriggerAuthentication": "triggerauthentication_v1alpha1",
    "PodMonitor": "podmonitor_v1",
    "PrometheusRule": "prometheusrule_v1",
}


def follow_their_schemas(objects: Objects) -> Iterator[str]:
    for found in objects.all:
        for problem in _problems(json.dumps(found)):
            yield f"{found['kind']}/{found['metadata']['name']}: {problem}"


def triggers_are_known_to_keda(objects: Objects) -> Iterator[str]:
    """A trigger's metadata is free text to the schema of a ScaledObject."""
    known = {scaler["type"]: scaler["parameters"] for scaler in _schema("scalers-schema")["scalers"]}
    for found in objects.of("ScaledObject"):
        for trigger in found["spec"]["triggers"]:
            name, parameters = f"ScaledObject/{found['metadata']['name']}", known.get(trigger["type"])
            if parameters is None:
                yield f"{name}: no trigger {trigger['type']}"
                continue
            unknown = set(trigger["metadata"]) - {parameter["name"] for parameter in parameters}
            yield from (f"{name}: {trigger['type']} has no {field}" for field in sorted(unknown))


@cache
def _problems(text: str) -> tuple[str, ...]:
    """Of an object as JSON; most objects are the same in every overlay."""
    found = json.loads(text)
    return tuple(_of_custom(found) if found["kind"] in _FILES else _of_core(found))


def _of_core(found: Object) -> Iterator[str]:
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(found, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            yield f"{error.message} ({version}, {'.'.join(map(str, error.path))})"


def _of_custom(found: Object) -> Iterator[str]:
    schema = _schema(_FILES[found["kind"]])
    # The schema leaves the top level open.
    unknown = set(found) - set(schema["properties"])
    yield from (f"no property {name}" for name in sorted(unknown))
    for error in jsonschema.Draft7Validator(schema).iter_errors(found):
        yield f"{error.message} ({'.'.join(map(str, error.path))})"


@cache
def _schema(name: str) -> Any:
    return json.loads((_SCHEMAS / f"{name}.json").read_text())
