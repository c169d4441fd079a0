"""`/v1/credit`: a tenant reads and forgets its own."""

import math
from typing import Any

import pytest

from shared.records.credit import Gain, Observation
from shared.store.api_keys import ApiKeys
from shared.store.credit import CreditLog
from tests.integration.gateway.running import Gateway, new_caller


def row(owner: str, operator: str, mutants: int, gain: float, length: float) -> dict[str, Any]:
    found = {"profile": "strict", "profile_owner": owner, "operator": operator, "mutants": mutants, "gain": gain}
    return {**found, "length": pytest.approx(length)}


async def test_a_tenant_reads_and_resets_its_own_credit_and_no_other(
    redis_url: str, guarded: Gateway, keys: ApiKeys
) -> None:
    log = CreditLog(redis_url)
    for number in range(2):
        gains = (Gain("shorten", 1.0 + number, -math.log(2)), Gain("ask_long+shorten", -1.0, 0.0))
        await log.add("credited", Observation(f"evo_{number}:1", number + 1.0, "strict", gains), 10, 1000)
    its_own = Observation("evo_2:1", 3.0, "strict", (Gain("shorten", 2.0, 0.0),), profile_owner="credited")
    await log.add("credited", its_own, 10, 1000)
    async with (
        await new_caller(keys, guarded, "credited") as own,
        await new_caller(keys, guarded, "operators", all_tenants=True) as other,
    ):
        rows = (await own.get("/v1/credit")).json()["data"]
        assert rows == [
            row("", "shorten", 4, 0.25, 2**-0.5),
            row("", "ask_long", 2, -1.0, 1.0),
            row("credited", "shorten", 1, 2.0, 1.0),
        ]
        assert (await other.get("/v1/credit")).json() == {"object": "list", "data": []}
        assert (await other.delete("/v1/credit")).json()["deleted"] == 0
        assert (await own.delete("/v1/credit")).json() == {"object": "credit.deleted", "deleted": 3}
        assert (await own.get("/v1/credit")).json()["data"] == []
    await log.close()
