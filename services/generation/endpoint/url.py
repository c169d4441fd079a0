"""Which URLs an endpoint may have."""

from urllib.parse import urlsplit

from shared.certificates import is_local
from shared.settings import SettingsError


def url_problem(url: str) -> str | None:
    """Why a URL is no endpoint's, or None; says nothing of what stands in it."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is no URL"
    if parts.scheme not in ("http", "https") or not host:
        return "must be http:// or https://, then host[:port]/v1"
    if parts.username is not None or parts.password is not None:
        return "must hold no user and password: DARWIN_GENERATION_ENDPOINT_KEY is for the key"
    if parts.query or parts.fragment:
        return "must end with its path: no ? and no #"
    return None


def check_private(url: str, plaintext_allowed: bool) -> None:
    """Raises `SettingsError` where prompts would leave this machine in plain text."""
    parts = urlsplit(url)
    if parts.scheme == "http" and not (plaintext_allowed or is_local(f"{parts.hostname}:{parts.port or 80}")):
        raise SettingsError(
            "DARWIN_GENERATION_ENDPOINT: prompts would leave this machine in plain text: use https://, or set "
            "DARWIN_ALLOW_PLAINTEXT=true where the network is trusted"
        )
