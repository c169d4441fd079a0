"""The whole stack over six shards on a Redis Cluster: a node is killed, another is replaced by its replica."""

import time
from collections.abc import Iterator

import httpx
import pytest

from cli.stack import Stack, StackSettings
from shared.store.shards import Shards
from tests.integration.clusters import Cluster, cluster

SHARDS = 6
BODY = {
    "model": "darwin",
    "max_tokens": 60,
    "messages": [{"role": "user", "content": "How do tides come about?"}],
    "darwin": {"preset": "paper", "period": 20},
}


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The first of them has a replica."""
    with cluster(tmp_path_factory.mktemp("cluster"), replicas=1) as made:
        yield made


@pytest.fixture(scope="module")
def client(nodes: Cluster) -> Iterator[httpx.Client]:
    env = {
        "DARWIN_REDIS_URL": nodes.url,
        "DARWIN_REDIS_SHARDS": str(SHARDS),
        "DARWIN_GENERATION_SIMULATED_TOKENS_PER_SECOND": "40",
    }
    with Stack(StackSettings.simulated(env, workers=2)) as stack:
        with httpx.Client(base_url=stack.url, timeout=30) as client:
            yield client
        assert set(stack.stop().values()) == {0}


def owners(nodes: Cluster) -> list[int]:
    return [nodes.owner(f"darwin:{{s{number}}}:active") for number in range(SHARDS)]


def begin(client: httpx.Client, count: int) -> list[str]:
    """Ids of evolutions, half of which a worker has begun."""
    answers = [client.post("/v1/evolutions", json=BODY) for _ in range(count)]
    assert {answer.status_code for answer in answers} == {202}, answers[0].text
    ids = [answer.json()["id"] for answer in answers]
    until(lambda: sum(status(client, each) != "queued" for each in ids) >= count / 2)
    return ids


def status(client: httpx.Client, evolution_id: str) -> str:
    answer = client.get(f"/v1/evolutions/{evolution_id}")
    return str(answer.json()["status"]) if answer.status_code == 200 else str(answer.status_code)


def until(true: object, patience_s: float = 60) -> None:
    give_up = time.monotonic() + patience_s
    while not true():  # type: ignore[operator]
        assert time.monotonic() < give_up
        time.sleep(0.2)


def shards_of(ids: list[str]) -> dict[str, int]:
    shards = Shards.connect("redis://127.0.0.1:1", SHARDS)
    return {each: shards.of(each).number for each in ids}


def test_while_a_node_is_killed_the_others_go_on_and_nothing_is_lost(nodes: Cluster, client: httpx.Client) -> None:
    first, *others = owners(nodes)
    away = next(port for port in others if port not in {first, nodes.primaries[0]})
    ids, hit = list[str](), set[str]()
    while not 0 < len(hit) < len(ids):  # where an evolution is kept, its random id says
        ids += begin(client, 24)
        hit = {each for each, shard in shards_of(ids).items() if [first, *others][shard] == away}
    nodes.kill(away)
    until(lambda: all(status(client, each) == "succeeded" for each in ids if each not in hit))
    assert {status(client, each) for each in hit} == {"503"}
    assert client.get("/readyz").status_code == 200
    nodes.start(away)
    until(lambda: all(status(client, each) == "succeeded" for each in ids))


def test_after_a_failover_everything_goes_on_with_the_new_primary(nodes: Cluster, client: httpx.Client) -> None:
    ids, old = begin(client, 16), nodes.primaries[0]
    lost = {number for number, port in enumerate(owners(nodes)) if port == old}
    assert lost
    nodes.kill(old)
    until(lambda: all(status(client, each) == "succeeded" for each in ids))
    assert all(owners(nodes)[number] not in nodes.primaries for number in lost)
