"""Signs events and posts them: to an address that was checked, with the certificate of the host, following nothing."""

import asyncio
import base64
import hashlib
import hmac
import os
import ssl
import time

import certifi
import httpx

from services.gateway.config.settings import GatewaySettings
from services.gateway.webhooks.addresses import ForbiddenAddress, UnknownHost, addresses_of
from shared.store.webhooks import Endpoint

# So many addresses of a host are tried, where no connection comes about.
_MOST_ADDRESSES = 3


class NotSent(Exception):
    """No answer came: the message says why, and names no address."""


def signatures(endpoint: Endpoint, event_id: str, at: int, payload: str) -> str:
    """The header `webhook-signature` of an event that is sent at a time (Unix seconds): one signature for each secret
    that is valid then (Standard Webhooks: HMAC-SHA256 over id, time and body).
    """
    signed = f"{event_id}.{at}.{payload}".encode()
    return " ".join(f"v1,{_signature(secret, signed)}" for secret in endpoint.secrets(at))


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


class Sender:
    """Posts events; every post makes a connection of its own, so that none is used for another host."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        trusted = ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE") or certifi.where())
        self._client = httpx.AsyncClient(
            verify=trusted,
            # A proxy would resolve the host again, to an address that nobody has checked.
            trust_env=False,
            follow_redirects=False,
            timeout=settings.webhook_timeout_s,
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def post(self, endpoint: Endpoint, event_id: str, payload: str) -> int:
        """The status of the answer, whose body is not read.

        Raises:
            NotSent: there is none, or the host leads where this deployment does not send to.
        """
        try:
            async with asyncio.timeout(self._settings.webhook_timeout_s):
                return await self._post(endpoint, event_id, payload)
        except (ForbiddenAddress, UnknownHost) as error:
            raise NotSent(str(error)) from None
        except TimeoutError:
            raise NotSent(f"no answer within {self._settings.webhook_timeout_s:g} s") from None
        except httpx.HTTPError as error:
            raise NotSent(f"no answer: {_reason(error)}") from None

    async def _post(self, endpoint: Endpoint, event_id: str, payload: str) -> int:
        url, at = httpx.URL(endpoint.url), int(time.time())
        addresses = (await addresses_of(url, self._settings))[:_MOST_ADDRESSES]
        for number, address in enumerate(addresses, 1):
            request = self._client.build_request(
                "POST",
                url.copy_with(host=address),
                content=payload,
                headers={
                    "host": url.netloc.decode(),
                    "content-type": "application/json",
                    "user-agent": "Darwin-Webhooks/1.0",
                    "webhook-id": event_id,
                    "webhook-timestamp": str(at),
                    "webhook-signature": signatures(endpoint, event_id, at, payload),
                },
                # The certificate must be the host's; the address only says where to connect.
                extensions={"sni_hostname": url.raw_host.decode().strip("[]")},
            )
            try:
                response = await self._client.send(request, stream=True)
            except httpx.ConnectError:
                if number == len(addresses):
                    raise
                continue
            await response.aclose()
            return response.status_code
        raise UnknownHost("the host has no address")


def _reason(error: httpx.HTTPError) -> str:
    """What went wrong, without addresses, which the messages of errors may hold."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the host's certificate is not valid ({cause.verify_message})"
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__
