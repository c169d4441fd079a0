"""What one tenant may hold of a gateway's places, and one key of its streams; each tried at twice its capacity."""

from contextlib import ExitStack

import pytest

from services.gateway.config.place_settings import PlaceSettings
from services.gateway.edge.errors import RateLimitExceeded
from services.gateway.edge.places import Places
from services.gateway.edge.search_times import SearchTimes
from shared.errors import Overloaded
from shared.store.api_keys import ApiKey, new_key


def places(**settings: float) -> Places:
    return Places(PlaceSettings(redis_url="redis://127.0.0.1:1/0", **settings), SearchTimes())  # type: ignore[arg-type]


def key(tenant: str, **terms: int) -> ApiKey:
    return new_key(tenant, **terms)[1]


def taken(held: ExitStack, free: Places, by: ApiKey, tries: int) -> int:
    """How many of so many calls of a key get a place."""
    count = 0
    for _ in range(tries):
        try:
            held.enter_context(free.place_of(by))
        except RateLimitExceeded:
            continue
        count += 1
    return count


def test_a_tenant_holds_its_share_of_what_others_leave() -> None:
    free, flooding, also_its = places(max_concurrent=100), key("acme"), key("acme")
    other, third = key("other"), key("third")
    with ExitStack() as held:
        assert taken(held, free, flooding, 200) == 50
        # A second key of the tenant's gains it nothing.
        assert taken(held, free, also_its, 200) == 0
        assert taken(held, free, other, 200) == 25
        # 75 are held, and there is a place for whoever holds none.
        assert taken(held, free, third, 1) == 1
    with ExitStack() as held:
        assert taken(held, free, other, 200) == 50


@pytest.mark.parametrize(("share", "most"), [(1.0, 100), (0.25, 25), (0.001, 1)])
def test_the_share_is_a_setting(share: float, most: int) -> None:
    with ExitStack() as held:
        assert taken(held, places(max_concurrent=100, max_concurrent_share=share), key("acme"), 200) == most


def test_one_place_can_be_taken() -> None:
    free = places(max_concurrent=1)
    for _ in range(2):
        with ExitStack() as held:
            assert taken(held, free, key("acme"), 2) == 1


def test_a_key_may_have_less() -> None:
    free, narrow = places(max_concurrent=100), key("acme", max_concurrent=3)
    with ExitStack() as held:
        assert taken(held, free, narrow, 6) == 3
        assert taken(held, free, key("acme"), 200) == 47


def test_all_places_together() -> None:
    free = places(max_concurrent=3)
    with ExitStack() as held:
        for _ in range(3):
            held.enter_context(free.place())
        with pytest.raises(Overloaded, match="3 calls"):
            held.enter_context(free.place())
    with free.place():
        pass


def test_calls_that_nobody_is_known_of_have_a_bound() -> None:
    free = places(max_concurrent=3)
    with ExitStack() as held:
        for _ in range(6):
            held.enter_context(free.arrival())
        with pytest.raises(Overloaded, match="3 calls"):
            held.enter_context(free.arrival())
        held.enter_context(free.place())
    with free.arrival():
        pass


@pytest.mark.parametrize(("terms", "most"), [({}, 4), ({"max_streams": 2}, 2), ({"max_streams": 6}, 6)])
def test_streams_of_a_key(terms: dict[str, int], most: int) -> None:
    free, streaming = places(max_concurrent=100, max_streams_per_key=4), key("acme", **terms)
    for _ in range(2):
        opened = 0
        with ExitStack() as held:
            for _ in range(2 * most):
                place = held.enter_context(free.place_of(streaming))
                try:
                    place.open_stream()
                    place.open_stream()
                except RateLimitExceeded:
                    continue
                opened += 1
            # Other calls of the key's, and streams of other keys, are left alone.
            held.enter_context(free.place_of(streaming))
            held.enter_context(free.place_of(key("acme"))).open_stream()
        assert opened == most
