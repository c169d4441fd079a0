"""How many calls a gateway answers at a time, and how many of them one tenant or API key may hold.

A call has a place from when its caller is known until its answer is sent. What one tenant may hold follows from what
the others leave (`Places.most_of`), so there is a place for whoever holds none, however many calls another one makes.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from services.gateway.config.place_settings import PlaceSettings
from services.gateway.edge.access import caller_of
from services.gateway.edge.errors import RateLimitExceeded, response_of
from services.gateway.edge.search_times import SearchTimes
from shared.errors import DarwinError, Overloaded
from shared.store.api_keys import ApiKey


class Places:
    """The places of one process."""

    def __init__(self, settings: PlaceSettings, times: SearchTimes) -> None:
        self._settings = settings
        self._times = times
        self._arrived = 0
        self._taken = 0
        self._of_tenants: Counter[str] = Counter()
        self._of_keys: Counter[str] = Counter()
        self._streams: Counter[str] = Counter()

    @contextmanager
    def arrival(self) -> Iterator[None]:
        """Counts a call from its head on, before it is known whose it is, so that those have a bound of their own.

        Raises:
            Overloaded: there are twice as many calls as places.
        """
        if self._arrived >= 2 * self._settings.max_concurrent:
            raise self._full()
        self._arrived += 1
        try:
            yield
        finally:
            self._arrived -= 1

    @contextmanager
    def place(self) -> Iterator[None]:
        """Holds a place for a call; raises `Overloaded` where all are taken."""
        if self._taken >= self._settings.max_concurrent:
            raise self._full()
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1

    @contextmanager
    def place_of(self, key: ApiKey) -> Iterator["Place"]:
        """Counts a call, which has a place, for its API key and the key's tenant.

        Raises:
            RateLimitExceeded: the key or its tenant holds as many places as it may.
        """
        if key.max_concurrent is not None and self._of_keys[key.id] >= key.max_concurrent:
            raise self._refusal(f"this key may make {key.max_concurrent} calls at a time to one gateway")
        if self._of_tenants[key.tenant] >= self.most_of(key.tenant):
            raise self._refusal(
                f"{self._of_tenants[key.tenant]} calls of this key's tenant are being answered here, which is all that "
                "other tenants leave it"
            )
        place = Place(self, key)
        self._of_keys[key.id] += 1
        self._of_tenants[key.tenant] += 1
        try:
            yield place
        finally:
            place.close()
            _less(self._of_keys, key.id)
            _less(self._of_tenants, key.tenant)

    def most_of(self, tenant: str) -> float:
        """How many places a tenant may hold: its share of those that no other tenant holds."""
        others = sum(self._of_tenants.values()) - self._of_tenants[tenant]
        return self._settings.max_concurrent_share * (self._settings.max_concurrent - others)

    def open_stream(self, key: ApiKey) -> None:
        """Counts a stream of the key; raises `RateLimitExceeded` where it has as many open as it may."""
        most = key.max_streams or self._settings.max_streams_per_key
        if self._streams[key.id] >= most:
            raise self._refusal(f"this key has {most} streamed answers open at this gateway")
        self._streams[key.id] += 1

    def close_stream(self, key: ApiKey) -> None:
        """Counts one stream of the key less."""
        _less(self._streams, key.id)

    def _full(self) -> Overloaded:
        return Overloaded(f"{self._settings.max_concurrent} calls are being answered already: come back later")

    def _refusal(self, why: str) -> RateLimitExceeded:
        return RateLimitExceeded(f"{why}: come back when one of them has ended", self._times.retry_after_s)


class Place:
    """The place of one call."""

    def __init__(self, places: Places, key: ApiKey) -> None:
        self._places = places
        self._key = key
        self._streams = False

    def open_stream(self) -> None:
        """To be called before a streamed answer costs anything; raises as `Places.open_stream` does."""
        if not self._streams:
            self._places.open_stream(self._key)
            self._streams = True

    def close(self) -> None:
        """The call is over."""
        if self._streams:
            self._places.close_stream(self._key)


def open_stream(request: Request) -> None:
    """Counts the answer to a call as a stream until it ends; raises as `Places.open_stream` does."""
    place = getattr(request.state, "place", None)
    if isinstance(place, Place):
        place.open_stream()


class PlaceMiddleware:
    """Gives each call under /v1 a place, and counts it for its caller, whom `AccessMiddleware` has identified."""

    def __init__(self, app: ASGIApp, places: Places, times: SearchTimes) -> None:
        self._app = app
        self._places = places
        self._times = times

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/v1/"):
            await self._app(scope, receive, send)
            return
        with ExitStack() as held:
            try:
                if (key := caller_of(Request(scope)).key) is not None:
                    scope["state"]["place"] = held.enter_context(self._places.place_of(key))
                held.enter_context(self._places.place())
            except DarwinError as refusal:
                await response_of(refusal, self._times.retry_after_s)(scope, receive, send)
                return
            await self._app(scope, receive, send)


def _less(counter: Counter[str], name: str) -> None:
    counter[name] -= 1
    if not counter[name]:
        del counter[name]
