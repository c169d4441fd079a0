"""The bodies of `/v1/keys`, made from where the terms of a key are declared (`shared.records.key_terms`)."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, create_model

from services.gateway.api.field_types import ENCODABLE, Body, Text
from services.gateway.config.search_fields import WHOLE
from shared.methods import Method
from shared.records.key_terms import MAX_NAME, MAX_NAMES, TERMS, Limit, Money, Names
from shared.records.search import DeclaredSetting
from shared.records.spending import NANOS, Period, Unit
from shared.store.api_keys import MAX_GRACE_S

TENANT_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"

_Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME), ENCODABLE]
_Profile = Annotated[str, Field(pattern=TENANT_PATTERN)]
_Some = Field(min_length=1, max_length=MAX_NAMES)
_NAMES: dict[str, Any] = {
    "models": Annotated[list[_Name], _Some] | None,
    "methods": Annotated[list[Method], _Some] | None,
    "profiles": Annotated[list[_Profile], _Some] | None,
}

Made = TypeVar("Made", bound=BaseModel)


class _Resource(BaseModel):
    model_config = ConfigDict(frozen=True)


def _accepted(each: DeclaredSetting) -> tuple[Any, Any]:
    """A term as a field of a body that callers send."""
    setting, described = each.setting, Field(default=each.default, description=each.setting.text)
    if each.name in _NAMES:
        return _NAMES[each.name], described
    if each.type == Money and each.name.startswith("money"):
        return Annotated[float, Field(ge=1 / NANOS, le=setting.most)] | None, described
    if each.type in (Limit, Money):
        kind = int if each.type == Limit else float
        return Annotated[kind | None, Field(ge=setting.least, le=setting.most), WHOLE], described
    if each.type is str:
        most = None if setting.most is None else int(setting.most)
        return Annotated[str, Field(max_length=most), ENCODABLE], described
    return each.type, described


def _with_terms(*, accepted: bool) -> Callable[[type[Made]], type[Made]]:
    """A class decorator that adds a field for every term: as callers send it, or as the API shows it."""

    def add(model: type[Made]) -> type[Made]:
        fields: dict[str, Any] = {}
        for each in TERMS.values():
            shown = (list[str] | None if each.type == Names else each.type, Field(description=each.setting.text))
            fields[each.name] = _accepted(each) if accepted else shown
        return create_model(
            model.__name__, __base__=model, __module__=model.__module__, __doc__=model.__doc__, **fields
        )

    return add


@_with_terms(accepted=True)
class KeyCreate(Body):
    """A key to make. Terms that are left out, or null, do not limit it."""

    tenant: Text = Field(
        pattern=TENANT_PATTERN, description="Who may see the evolutions: all keys of a tenant share them."
    )


@_with_terms(accepted=True)
class KeyUpdate(Body):
    """The terms to change; null takes a limit away, and what is left out stays as it is."""


class KeyQuery(BaseModel):
    """Which keys are listed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tenant: str | None = Field(default=None, max_length=200, description="Only this tenant's.")


class KeyRotate(Body):
    """How a key gets a new secret."""

    grace_s: Annotated[int, Field(ge=0, le=MAX_GRACE_S), WHOLE] = Field(
        default=0, description="Seconds for which the secret that it has now is still taken."
    )


class BudgetUse(_Resource):
    """What a key has spent, and may spend, in a period that has not ended. Money is in the currency of the prices."""

    unit: Unit
    period: Period
    limit: float | None = Field(description="Null where there is no such budget.")
    used: float = Field(description="By searches that were accepted in the period.")
    reserved: float = Field(description="Set aside for those of them that are under way.")
    ends_at: float = Field(description="When the period ends, in Unix seconds.")


@_with_terms(accepted=False)
class Key(_Resource):
    """An API key without its secret. Times are Unix seconds."""

    id: str
    object: Literal["api_key"] = "api_key"
    tenant: str
    created_at: float
    expired: bool = Field(description="Whether `expires_at` has passed.")
    previous_until: float | None = Field(description="Until when the secret before the last rotation is taken.")
    use: list[BudgetUse] = Field(description="By unit and period, whether or not there is a budget.")


class KeyWithSecret(Key):
    """An API key with its text, which is shown in this answer only."""

    key: str = Field(description="Send it as `authorization: Bearer dk_…`.")


class KeyList(_Resource):
    """Every key, oldest first."""

    object: Literal["list"] = "list"
    data: list[Key]


class KeyRevoked(_Resource):
    """The key is refused from the next call on; what it started goes on."""

    id: str
    object: Literal["api_key.deleted"] = "api_key.deleted"
    deleted: Literal[True] = True
