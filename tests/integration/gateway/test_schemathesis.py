"""Generated calls against the reference: no defect, and no answer that /openapi.json does not describe."""

import asyncio
from collections import Counter
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance
from schemathesis.specs.openapi.schemas import OpenApiSchema

from shared.methods import METHODS
from shared.store.api_keys import ApiKeys, new_key
from tests import embeddings_endpoint
from tests.examples import examples
from tests.integration.gateway.running import Gateway

load_all_checks()

FIXED = settings(
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
# Some rules need more than one field, which a schema cannot say: well-formed values may be refused with 400. Whether
# keys are asked for is tested in test_access.py: the check forgets that the header it leaves out is sent by `probe`.
LEFT_OUT = [positive_data_acceptance, ignored_auth]


def reference(gateway: Gateway) -> OpenApiSchema:
    schema = schemathesis.openapi.from_url(f"{gateway.url}/openapi.json")
    # Text may exceed the body's limit before its own; who may not manage keys is told so before the body is looked at.
    schema.config.checks.negative_data_rejection.expected_statuses = ["400", "401", "403", "404", "405", "413", "415"]
    return schema


@pytest.fixture(scope="module")
def session() -> requests.Session:
    return requests.Session()


@pytest.fixture(scope="module")
def opened(gateway: Gateway) -> OpenApiSchema:
    return reference(gateway)


@pytest.fixture(scope="module")
def keyed(guarded: Gateway) -> OpenApiSchema:
    return reference(guarded)


@pytest.fixture(scope="module")
def authorization(redis_url: str) -> dict[str, str]:
    text, key = new_key("fuzzing", manages_keys=True)

    async def add() -> None:
        keys = ApiKeys(redis_url)
        await keys.add(key)
        await keys.close()

    asyncio.run(add())
    return {"authorization": f"Bearer {text}"}


SEARCHES = [
    ("/v1/chat/completions", "POST"),
    ("/v1/completions", "POST"),
    ("/v1/evolutions", "POST"),
    ("/v1/responses", "POST"),
]
OTHERS = [
    ("/v1/embeddings", "POST"),
    ("/v1/models", "GET"),
    ("/v1/models/{name}", "GET"),
    ("/v1/evolutions/{evolution_id}", "GET"),
    ("/v1/evolutions/{evolution_id}", "DELETE"),
    ("/v1/evolutions/{evolution_id}/events", "GET"),
    ("/v1/evolutions/{evolution_id}/feedback", "POST"),
    ("/v1/evolutions/{evolution_id}/recording", "GET"),
    ("/v1/evolutions/{evolution_id}/pairs", "GET"),
    ("/v1/evolutions/{evolution_id}/diff", "GET"),
    ("/v1/evolutions", "GET"),
    ("/v1/files", "GET"),
    ("/v1/files", "POST"),
    ("/v1/files/{file_id}", "GET"),
    ("/v1/files/{file_id}", "DELETE"),
    ("/v1/files/{file_id}/content", "GET"),
    ("/v1/batches", "GET"),
    ("/v1/batches", "POST"),
    ("/v1/batches/{batch_id}", "GET"),
    ("/v1/batches/{batch_id}/cancel", "POST"),
    ("/v1/webhook_endpoints", "GET"),
    ("/v1/webhook_endpoints", "POST"),
    ("/v1/webhook_endpoints/{webhook_endpoint_id}", "GET"),
    ("/v1/webhook_endpoints/{webhook_endpoint_id}", "POST"),
    ("/v1/webhook_endpoints/{webhook_endpoint_id}", "DELETE"),
    ("/v1/webhook_endpoints/{webhook_endpoint_id}/rotate_secret", "POST"),
    ("/v1/webhook_endpoints/{webhook_endpoint_id}/test", "POST"),
    ("/v1/webhook_event_types", "GET"),
    ("/v1/responses/{response_id}", "GET"),
    ("/v1/responses/{response_id}", "DELETE"),
    ("/v1/responses/{response_id}/cancel", "POST"),
    ("/v1/responses/{response_id}/input_items", "GET"),
    ("/v1/viewer", "GET"),
    ("/v1/profiles", "GET"),
    ("/v1/profiles/{name}", "GET"),
    ("/v1/profiles/{name}", "PUT"),
    ("/v1/profiles/{name}", "DELETE"),
    ("/v1/profiles/{name}/versions", "GET"),
    ("/v1/profiles/{name}/promote", "POST"),
    ("/v1/profiles/{name}/rollback", "POST"),
    ("/v1/profiles/{name}/shadow", "POST"),
    ("/v1/profiles/{name}/shadow", "DELETE"),
    ("/v1/profiles/{name}/canary", "POST"),
    ("/v1/profiles/{name}/canary", "DELETE"),
    ("/v1/profiles/{name}/try", "POST"),
    ("/v1/credit", "GET"),
    ("/v1/credit", "DELETE"),
    ("/v1/keys", "GET"),
    ("/v1/keys", "POST"),
    ("/v1/keys/{key_id}", "GET"),
    ("/v1/keys/{key_id}", "PATCH"),
    ("/v1/keys/{key_id}", "DELETE"),
    ("/v1/keys/{key_id}/rotate", "POST"),
    ("/health", "GET"),
    ("/healthz", "GET"),
    ("/readyz", "GET"),
]
MODES = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
# No value of `tenant` is wrong for an operator: whatever is sent is text, and may be a tenant's name.
WITH_A_KEY = [
    (path, method, mode)
    for mode in MODES
    for path, method in SEARCHES + OTHERS
    if (path, method, mode) != ("/v1/keys", "GET", GenerationMode.NEGATIVE)
]


def probe(operation: APIOperation, mode: GenerationMode, count: int, **call: Any) -> Counter[int]:
    """Sends generated calls, well-formed ones or ones that break the schema; counts the answers by status."""
    statuses: Counter[int] = Counter()

    @settings(FIXED, max_examples=examples(count))
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case: schemathesis.Case) -> None:
        searches = isinstance(case.body, dict) and case.body.keys() & {"messages", "input", "prompt"}
        if mode is GenerationMode.POSITIVE and operation.path == "/v1/embeddings":
            case.body["model"] = embeddings_endpoint.MODEL
        elif mode is GenerationMode.POSITIVE and searches:
            # Most conversations end otherwise by chance, and most names are no model's: they would get no further.
            if "messages" in case.body:
                case.body["messages"][-1] = {"role": "user", "content": "Why?"}
            elif "prompt" in case.body:
                case.body["prompt"] = ["Why?", [5, 6]][len(str(case.body)) % 2]
            else:
                case.body["input"] = "Why?"
                case.body.pop("previous_response_id", None)
            case.body["model"] = list(METHODS)[len(str(case.body)) % len(METHODS)]
            if len(str(case.body)) % 2 == 0:
                # Settings that are drawn alone seldom go together, and a search that is refused for them shows no more.
                case.body.pop("darwin", None)
        response = case.call_and_validate(timeout=20, excluded_checks=LEFT_OUT, **call)
        statuses[response.status_code] += 1

    try:
        check()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE  # There is nothing to break.
    print(f"{operation.method.upper()} {operation.path}, {mode.value}: {dict(statuses)}")
    return statuses


def test_every_operation_is_probed(opened: OpenApiSchema) -> None:
    operations = [result.ok() for result in opened.get_all_operations()]
    assert {(operation.path, operation.method.upper()) for operation in operations} == {*SEARCHES, *OTHERS}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("path", "method"), SEARCHES)
def test_searches(
    opened: OpenApiSchema, session: requests.Session, path: str, method: str, mode: GenerationMode
) -> None:
    # Of well-formed calls only some are accepted, and get far.
    statuses = probe(opened[path][method], mode, 150 if mode is GenerationMode.POSITIVE else 40, session=session)
    if mode is GenerationMode.POSITIVE:
        assert statuses[200] + statuses[202] > 20


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("path", "method"), OTHERS)
def test_others(opened: OpenApiSchema, session: requests.Session, path: str, method: str, mode: GenerationMode) -> None:
    probe(opened[path][method], mode, 10, session=session)


@pytest.mark.parametrize(("path", "method", "mode"), WITH_A_KEY)
def test_with_a_key(
    keyed: OpenApiSchema,
    session: requests.Session,
    authorization: dict[str, str],
    path: str,
    method: str,
    mode: GenerationMode,
) -> None:
    probe(keyed[path][method], mode, 5, session=session, headers=authorization)


def test_log_holds_no_defect(gateway: Gateway, guarded: Gateway) -> None:
    for process in (gateway.process, guarded.process):
        assert "Traceback" not in process.log.read_text()
