"""Signatures, events and pauses of webhooks."""

import time
from typing import Any

import openai
import pytest

from services.gateway.webhooks.deliverer import GIVE_UP_S, delay_s
from services.gateway.webhooks.events import EVENT_TYPES, WebhookEvent
from services.gateway.webhooks.sending import signatures
from shared.store.webhooks import Endpoint, new_secret


def endpoint(**fields: Any) -> Endpoint:
    return Endpoint("we_1", "acme", "n", "https://example.org", ("batch.failed",), new_secret(), 0, 0, **fields)


def unwrapped(secret: str, header: str, event: WebhookEvent, at: int) -> Any:
    with openai.OpenAI(api_key="none") as client:
        headers = {"webhook-id": event.id, "webhook-timestamp": str(at), "webhook-signature": header}
        return client.webhooks.unwrap(event.payload, headers, secret=secret)


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_openais_sdk_reads_every_event(kind: str) -> None:
    event, at, own = WebhookEvent(kind, "acme", "batch_1", 12.5), int(time.time()), endpoint()
    found = unwrapped(own.secret, signatures(own, event.id, at, event.payload), event, at)
    assert (found.type, found.data.id, found.created_at) == (kind, "batch_1", 12)
    assert found.id == event.id


def test_two_secrets_are_valid_during_rotation() -> None:
    event, at = WebhookEvent("batch.failed", "acme", "batch_1", 0), int(time.time())
    old = new_secret()
    rotated = endpoint(previous_secret=old, previous_until=at + 10.0)
    header = signatures(rotated, event.id, at, event.payload)
    for secret in (old, rotated.secret):
        unwrapped(secret, header, event, at)
    later = signatures(rotated, event.id, at + 10, event.payload)
    assert len(later.split()) == 1
    with pytest.raises(openai.InvalidWebhookSignatureError):
        unwrapped(old, later, event, at + 10)


def test_an_event_keeps_its_id() -> None:
    one = WebhookEvent("batch.failed", "acme", "batch_1", 1)
    assert one.id == WebhookEvent("batch.failed", "acme", "batch_1", 2).id
    assert one.id != WebhookEvent("batch.failed", "acme", "batch_2", 1).id


def test_pauses_grow_and_stay_bounded() -> None:
    pauses = [delay_s(attempt) for attempt in range(1, 60)]
    assert 3.75 <= pauses[0] <= 6.25
    assert all(pause <= 4 * 3600 * 1.25 for pause in pauses)
    assert sum(pauses[:12]) < GIVE_UP_S < sum(pauses)
