"""`/v1/credit`: a tenant reads and forgets its own."""

import math

import pytest

from shared.records.credit import Gain, Observation
from shared.store.api_keys import ApiKeys
from shared.store.credit import CreditLog
from tests.integration.gateway.running import Gateway, new_caller


async def test_a_tenant_reads_and_resets_its_own_credit_and_no_other(
    redis_url: str, guarded: Gateway, keys: ApiKeys
) -> None:
    log = CreditLog(redis_url)
    for number in range(2):
        gains = (Gain("shorten", 1.0 + number, -math.log(2)), Gain("ask_long+shorten", -1.0, 0.0))
        await log.add("credited", Observation(f"evo_{number}:1", number + 1.0, "strict", gains), 10, 1000)
    async with (
        await new_caller(keys, guarded, "credited") as own,
        await new_caller(keys, guarded, "operators", all_tenants=True) as other,
    ):
        rows = (await own.get("/v1/credit")).json()["data"]
        assert rows == [
            {"profile": "strict", "operator": "shorten", "mutants": 4, "gain": 0.25, "length": pytest.approx(2**-0.5)},
            {"profile": "strict", "operator": "ask_long", "mutants": 2, "gain": -1.0, "length": 1.0},
        ]
        assert (await other.get("/v1/credit")).json() == {"object": "list", "data": []}
        assert (await other.delete("/v1/credit")).json()["deleted"] == 0
        assert (await own.delete("/v1/credit")).json() == {"object": "credit.deleted", "deleted": 2}
        assert (await own.get("/v1/credit")).json()["data"] == []
    await log.close()
