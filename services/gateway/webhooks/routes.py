"""`/v1/webhook_endpoints`, as OpenAI's SDKs call it."""

import time
import uuid
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request

from services.gateway.api.openapi import failures
from services.gateway.config.settings import GatewaySettings
from services.gateway.edge.access import caller_of
from services.gateway.edge.strict_json import StrictJsonRoute, require_json
from services.gateway.webhooks import bodies as out
from services.gateway.webhooks.addresses import ForbiddenAddress, UnknownHost, addresses_of, checked_url
from services.gateway.webhooks.events import EVENT_TYPES, WebhookEvent
from services.gateway.webhooks.sending import NotSent, Sender
from shared.errors import InvalidRequest, NotFound
from shared.store.webhooks import GRACE_S, Endpoint, Webhooks, new_secret

EndpointId = Annotated[str, Path(max_length=256)]


class WebhookRoutes:
    """The routes of the webhooks API. Who may read every tenant's evolutions reads every tenant's endpoints."""

    def __init__(self, webhooks: Webhooks, settings: GatewaySettings) -> None:
        self._webhooks = webhooks
        self._settings = settings
        self.router = APIRouter(tags=["webhooks"], route_class=StrictJsonRoute)
        every, one = "/v1/webhook_endpoints", "/v1/webhook_endpoints/{webhook_endpoint_id}"
        json = (408, 413, 415)
        self._add("POST", every, self.create, "Make a webhook endpoint", *json)
        self._add("GET", every, self.listing, "List the webhook endpoints", 404)
        self._add("GET", one, self.read, "Read a webhook endpoint", 404)
        self._add("POST", one, self.update, "Change a webhook endpoint", *json, 404, 409)
        self._add("DELETE", one, self.delete, "Delete a webhook endpoint", 404)
        self._add("POST", f"{one}/rotate_secret", self.rotate, "Give a webhook endpoint a new secret", *json, 404, 409)
        self._add("POST", f"{one}/test", self.test, "Send a sample to a webhook endpoint", *json, 404)
        self._add("GET", "/v1/webhook_event_types", self.event_types, "List the events of webhooks")

    def _add(self, method: str, path: str, route: Callable[..., Any], summary: str, *statuses: int) -> None:
        self.router.add_api_route(
            path,
            route,
            methods=[method],
            summary=summary,
            dependencies=[Depends(require_json)] if 415 in statuses else [],
            responses=failures(400, 401, *statuses, 421, 429, 500, 503),
        )

    async def create(self, request: Request, body: out.EndpointCreate) -> out.WebhookEndpointWithSecret:
        """A new endpoint; the answer holds the secret that signs what is sent there, which cannot be had again."""
        await self._check_url(body.url)
        now = time.time()
        endpoint = Endpoint(
            f"we_{uuid.uuid4().hex}",
            caller_of(request).tenant,
            body.name,
            body.url,
            tuple(dict.fromkeys(body.event_types)),
            new_secret(),
            now,
            now,
        )
        await self._webhooks.create(endpoint, self._settings.max_webhooks)
        return out.WebhookEndpointWithSecret.of(endpoint)

    async def listing(self, request: Request, query: Annotated[out.EndpointQuery, Query()]) -> out.WebhookEndpointList:
        """The endpoints, the newest first, without their secrets."""
        found = await self._webhooks.listed(caller_of(request).readable_tenant)
        if query.after is not None:
            ids = [endpoint.id for endpoint in found]
            if query.after not in ids:
                raise NotFound(f"No such webhook endpoint: {query.after}", field="after")
            found = found[ids.index(query.after) + 1 :]
        page = [out.WebhookEndpoint.of(endpoint) for endpoint in found[: query.limit]]
        first, last = (page[0].id, page[-1].id) if page else (None, None)
        return out.WebhookEndpointList(data=page, first_id=first, last_id=last, has_more=len(found) > query.limit)

    async def read(self, request: Request, webhook_endpoint_id: EndpointId) -> out.WebhookEndpoint:
        """An endpoint, without its secret."""
        found = await self._webhooks.load(webhook_endpoint_id, caller_of(request).readable_tenant)
        return out.WebhookEndpoint.of(found)

    async def update(
        self, request: Request, webhook_endpoint_id: EndpointId, body: out.EndpointUpdate
    ) -> out.WebhookEndpoint:
        """Changes what the body holds; what is on its way already goes to the new URL, which enables the endpoint."""
        fields = body.model_dump(exclude_unset=True)
        if "url" in fields:
            await self._check_url(body.url)
            fields["disabled_at"] = 0.0
        if "event_types" in fields:
            fields["event_types"] = tuple(dict.fromkeys(body.event_types))
        changed = await self._webhooks.change(webhook_endpoint_id, caller_of(request).tenant, **fields)
        return out.WebhookEndpoint.of(changed)

    async def delete(self, request: Request, webhook_endpoint_id: EndpointId) -> out.WebhookEndpointDeleted:
        """Deletes an endpoint, and drops what is on its way to it."""
        await self._webhooks.delete(webhook_endpoint_id, caller_of(request).tenant)
        return out.WebhookEndpointDeleted(id=webhook_endpoint_id)

    async def rotate(
        self, request: Request, webhook_endpoint_id: EndpointId, body: out.SecretRotate
    ) -> out.WebhookEndpointWithSecret:
        """A new secret; the answer holds it, and it cannot be had again."""
        grace_s = GRACE_S if body.keep_old_secret_active_for_24_hours else 0
        endpoint = await self._webhooks.rotate(webhook_endpoint_id, caller_of(request).tenant, grace_s)
        return out.WebhookEndpointWithSecret.of(endpoint)

    async def test(
        self, request: Request, webhook_endpoint_id: EndpointId, body: out.EndpointTest
    ) -> out.WebhookEndpointTested:
        """Sends a sample event, once, and says how the endpoint answers."""
        endpoint = await self._webhooks.load(webhook_endpoint_id, caller_of(request).tenant)
        about = f"{'batch' if body.event_type.startswith('batch.') else 'resp'}_{uuid.uuid4().hex}"
        event = WebhookEvent(body.event_type, endpoint.tenant, about, time.time())
        sender = Sender(self._settings)
        try:
            status = await sender.post(endpoint, event.id, event.payload)
        except NotSent as error:
            raise InvalidRequest(f"the endpoint could not be tested: {error}", field="webhook_endpoint_id") from None
        finally:
            await sender.close()
        return out.WebhookEndpointTested(
            webhook_endpoint_id=endpoint.id, event_type=body.event_type, status_code=status
        )

    async def event_types(self) -> out.WebhookEventTypes:
        """The events that can be sent."""
        return out.WebhookEventTypes(data=list(EVENT_TYPES))

    async def _check_url(self, text: str) -> None:
        """Refuses a URL whose host leads nowhere or where this deployment does not send to."""
        try:
            await addresses_of(checked_url(text, self._settings), self._settings)
        except (ForbiddenAddress, UnknownHost) as error:
            raise InvalidRequest(f"url cannot be sent to: {error}", field="url") from None
