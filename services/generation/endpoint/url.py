"""Which URLs and keys an endpoint may have."""

import shared.process.urls
from shared.process.settings import SettingsError


def url_problem(url: str) -> str | None:
    """Why a URL cannot be that of an endpoint, or None; no part of the URL is shown, which may hold a secret."""
    return shared.process.urls.url_problem(url, "/v1", "DARWIN_GENERATION_ENDPOINT_KEY")


def key_problem(key: str) -> str | None:
    """Why a key cannot be sent, or None."""
    return None if all("!" <= character <= "~" for character in key) else "must be printable ASCII without spaces"


def check_private(url: str, plaintext_allowed: bool) -> None:
    """Raises `SettingsError` where prompts would leave this machine in plain text."""
    if shared.process.urls.leaves_in_plain_text(url) and not plaintext_allowed:
        raise SettingsError(
            "DARWIN_GENERATION_ENDPOINT: prompts would leave this machine in plain text: use https://, or set "
            "DARWIN_ALLOW_PLAINTEXT=true where the network is trusted"
        )
