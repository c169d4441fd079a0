"""`/v1/credit`: what ways to rewrite instructions have earned in the caller's searches, as `darwin credit` shows it."""

import math
from collections.abc import Callable
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from services.gateway.api.openapi import failures
from services.gateway.edge.access import caller_of
from shared.records.credit import Observation
from shared.store.credit import CreditLog


class OperatorCredit(BaseModel):
    """What a line or an operator of mutation has brought under a profile."""

    profile: str = Field(description="Empty: the deployment's default.")
    profile_owner: str = Field(description="The tenant whose own the profile is; empty where all may use it.")
    operator: str
    mutants: int = Field(description="How many mutants it made, in the cycles that are kept.")
    gain: float = Field(description="Mean reward of their final responses less that of their parents'.")
    length: float = Field(description="How many times as long as their parents' their responses are, geometric mean.")


class CreditList(BaseModel):
    object: Literal["list"] = "list"
    data: list[OperatorCredit] = Field(description="By profile, those that gained most first.")


class CreditDeleted(BaseModel):
    object: Literal["credit.deleted"] = "credit.deleted"
    deleted: int = Field(description="How many cycles were kept.")


class CreditRoutes:
    """The routes of the credit API: for the caller's own tenant, whatever else its key may read."""

    def __init__(self, kept: CreditLog) -> None:
        self._kept = kept
        self.router = APIRouter(tags=["credit"])
        self._add("GET", self.read_credit, "Read what operators have earned")
        self._add("DELETE", self.reset_credit, "Forget what operators have earned")

    def _add(self, method: str, route: Callable[..., Any], summary: str) -> None:
        self.router.add_api_route(
            "/v1/credit", route, methods=[method], summary=summary, responses=failures(401, 421, 429, 500, 503)
        )

    async def read_credit(self, request: Request) -> CreditList:
        """What lines and operators gained in searches with `darwin.credit`, over their parents and at whatever length;
        searches draw by what they gain at equal length. What tenants share, where the deployment has them do so, is
        not shown."""
        tenant = caller_of(request).tenant
        return CreditList(data=_totals(await self._kept.load(tenant, await self._kept.ids(tenant))))

    async def reset_credit(self, request: Request) -> CreditDeleted:
        """Deletes all that is kept of the tenant's; its searches draw all lines alike then."""
        return CreditDeleted(deleted=await self._kept.reset(caller_of(request).tenant))


def _totals(observations: list[Observation]) -> list[OperatorCredit]:
    gains: dict[tuple[str, str, str], list[tuple[float, float]]] = {}
    for observation in observations:
        for gain in observation.gains:
            for name in gain.operator.split("+"):
                gains.setdefault((observation.profile, observation.profile_owner, name), []).append(
                    (gain.reward, gain.growth)
                )
    rows = []
    for (profile, owner, operator), found in gains.items():
        reward, growth = (math.fsum(values) / len(found) for values in zip(*found, strict=True))
        rows.append(
            OperatorCredit(
                profile=profile,
                profile_owner=owner,
                operator=operator,
                mutants=len(found),
                gain=reward,
                length=math.exp(growth),
            )
        )
    return sorted(rows, key=lambda row: (row.profile, row.profile_owner, -row.gain, row.operator))
