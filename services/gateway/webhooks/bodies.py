"""Bodies of `/v1/webhook_endpoints`, in OpenAI's shapes."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.gateway.api.field_types import ENCODABLE, Body
from services.gateway.webhooks.events import EVENT_TYPES, EventType
from shared.store.webhooks import Endpoint

_Name = Annotated[str, Field(min_length=1, max_length=256), ENCODABLE]
_Url = Annotated[str, Field(min_length=1, max_length=2048), ENCODABLE]
_Types = Annotated[list[EventType], Field(min_length=1, max_length=len(EVENT_TYPES))]


def _undefaulted(schema: dict[str, Any]) -> None:
    """Takes the default away of a field that means nothing where it is left out."""
    schema.pop("default", None)


class EndpointCreate(Body):
    """Body of `POST /v1/webhook_endpoints`."""

    event_types: _Types = Field(description="What is sent there.")
    name: _Name = Field(description="For people.")
    url: _Url = Field(description="Where it is sent, by https.")


class EndpointUpdate(Body):
    """Body of `POST /v1/webhook_endpoints/{webhook_endpoint_id}`: what is left out stays."""

    event_types: _Types = Field(
        default=[EVENT_TYPES[0]], json_schema_extra=_undefaulted, description="All that is sent there from now on."
    )
    name: _Name = Field(default="-", json_schema_extra=_undefaulted, description="For people.")
    url: _Url = Field(default="-", json_schema_extra=_undefaulted, description="Where it is sent, by https.")


class SecretRotate(Body):
    """Body of `POST /v1/webhook_endpoints/{webhook_endpoint_id}/rotate_secret`."""

    keep_old_secret_active_for_24_hours: bool = Field(
        default=False, description="Whether events are signed by the old secret, too, for 24 hours."
    )


class EndpointTest(Body):
    """Body of `POST /v1/webhook_endpoints/{webhook_endpoint_id}/test`."""

    event_type: EventType = Field(description="Of the sample that is sent.")


class EndpointQuery(BaseModel):
    """Which endpoints are listed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    after: str | None = Field(default=None, max_length=256, description="The last id of the page before.")
    limit: int = Field(default=20, ge=1, le=100)


class _Resource(BaseModel):
    model_config = ConfigDict(frozen=True)


class WebhookEndpoint(_Resource):
    """OpenAI's `webhook_endpoint`."""

    id: str
    object: Literal["webhook_endpoint"] = "webhook_endpoint"
    created_at: int
    updated_at: int
    event_types: list[str]
    name: str
    url: str
    signing_secret_hint: str
    disabled_at: int | None = Field(
        description="When it answered 410: nothing has been sent there since, until its url is set again."
    )

    @classmethod
    def of(cls, endpoint: Endpoint) -> "WebhookEndpoint":
        return cls(**_shown(endpoint))


class WebhookEndpointWithSecret(WebhookEndpoint):
    """An endpoint with the secret that signs what is sent to it; it cannot be had again."""

    signing_secret: str

    @classmethod
    def of(cls, endpoint: Endpoint) -> "WebhookEndpointWithSecret":
        return cls(**_shown(endpoint), signing_secret=endpoint.secret)


class WebhookEndpointList(_Resource):
    """A page of endpoints, the newest first."""

    object: Literal["list"] = "list"
    data: list[WebhookEndpoint]
    first_id: str | None
    last_id: str | None
    has_more: bool


class WebhookEndpointDeleted(_Resource):
    """An endpoint that is gone."""

    id: str
    object: Literal["webhook_endpoint.deleted"] = "webhook_endpoint.deleted"
    deleted: Literal[True] = True


class WebhookEndpointTested(_Resource):
    """How an endpoint answered a sample."""

    object: Literal["webhook_endpoint.test"] = "webhook_endpoint.test"
    webhook_endpoint_id: str
    event_type: str
    status_code: int
    success: Literal[True] = True


class WebhookEventTypes(_Resource):
    """The events that can be sent."""

    object: Literal["list"] = "list"
    data: list[str]


def _shown(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "id": endpoint.id,
        "created_at": int(endpoint.created_at),
        "updated_at": int(endpoint.updated_at),
        "event_types": list(endpoint.event_types),
        "name": endpoint.name,
        "url": endpoint.url,
        "signing_secret_hint": f"whsec_…{endpoint.secret[-4:]}",
        "disabled_at": int(endpoint.disabled_at) or None,
    }
