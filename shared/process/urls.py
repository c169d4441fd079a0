"""Checks URLs of servers that are not Darwin's: their form, and whether text sent to them is encrypted."""

from urllib.parse import urlsplit

from shared.process.certificates import is_local


def url_problem(url: str, path: str, key: str) -> str | None:
    """Why a URL cannot be used, or None. The reason quotes nothing of the URL, which may hold a secret.

    `path` is what is expected after host and port, `key` names the setting in which an API key belongs.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is no URL"
    if parts.scheme not in ("http", "https") or not host:
        return f"must be http:// or https://, then host[:port]{path}"
    if parts.username is not None or parts.password is not None:
        return f"must hold no user and password: {key} is for the key"
    if parts.query or parts.fragment:
        return "must end with its path: no ? and no #"
    return None


def leaves_in_plain_text(url: str) -> bool:
    """Whether text sent to a URL leaves this machine without TLS."""
    parts = urlsplit(url)
    return parts.scheme == "http" and not is_local(f"{parts.hostname}:{parts.port or 80}")
