"""Where Redis is, as `DARWIN_REDIS_URL` says: one reading of the URL for every library that connects.

| form | is |
| --- | --- |
| `redis://[user:password@]host[:6379][/database]` | a server |
| `rediss://…`, the same | a server by TLS |
| `unix:///path[?db=0]`, `redis+socket:///path[?virtual_host=0]` | a Unix socket, as redis-py and as Celery write it |
| `sentinel://[user:password@]host[:26379],host…/name[/database]` | the server that Sentinels call by this name |
| `sentinel://host[:26379];sentinel://host…/[database]?master_name=name` | the same, as Celery writes it |
| `redis://host[:6379],host…`, `rediss://…` | nodes of a Redis Cluster, with `DARWIN_REDIS_SHARDS` |
| `url,url…`, each of the above | several servers, one for each shard |
"""

import re
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

# Commands block for up to 2 s, and a server is given as long again to answer.
_LEAST_TIMEOUT_S = 4.0
# A comma also stands between the hosts of one URL.
_NEXT_URL = re.compile(r"\s*,\s*(?=[a-z+]+://)")
_SCHEMES = ("redis", "rediss", "unix", "redis+socket", "sentinel")
_FORM = (
    "must be redis://, rediss://, unix:// or sentinel://, then [user:password@]host[:port][/database]; percent-encode "
    "whatever is special in user and password"
)


@dataclass(frozen=True)
class RedisAddress:
    """How to reach Redis.

    `hosts` are the server's host and port, or those of the Sentinels that know it by the name `service`; where `socket`
    names a Unix socket there are none. `login` and `sentinel_login` hold `username` and `password` where they are
    given. `tls` holds the arguments of TLS by redis-py's names (`ssl_…`), checked; None for plain text. `options` holds
    further arguments of a connection by redis-py's names.
    """

    hosts: tuple[tuple[str, int], ...] = ()
    socket: str = ""
    service: str = ""
    database: int = 0
    login: Mapping[str, str] = field(default_factory=dict, repr=False)
    sentinel_login: Mapping[str, str] = field(default_factory=dict, repr=False)
    tls: Mapping[str, Any] | None = field(default=None, repr=False)
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def places(self) -> set[tuple[object, ...]]:
        """What tells databases of servers apart, as far as their names do."""
        return {(host, self.socket, self.service, self.database) for host in self.hosts or [None]}

    @classmethod
    def parse(cls, url: str, nodes: bool = False) -> "RedisAddress":
        """Reads the URL of a server; with `nodes` it may name several, of one Redis Cluster.

        Raises:
            ValueError: the URL cannot be used. The message says why, and quotes no secret.
        """
        parts = _split(url)
        if "@" in parts.query and parts.netloc:
            # The end of a password with a ? in it. It must not be named below.
            raise ValueError(_FORM)
        options = _Options(parts)
        tls = options.tls(parts.scheme)
        database = options.database(parts)
        if parts.scheme in ("unix", "redis+socket"):
            if not parts.path or parts.hostname:
                raise ValueError(f"must name a path after {parts.scheme}://, with three slashes in all")
            login = options.login("") | _login(parts)
            return cls((), unquote(parts.path), "", database, login, {}, tls, options.rest())
        if parts.scheme != "sentinel":
            hosts = _hosts(parts, 6379)
            if len(hosts) > 1 and not nodes:
                raise ValueError(
                    f"must name one host after {parts.scheme}://, unless they are nodes of a Redis Cluster: then "
                    "DARWIN_REDIS_SHARDS must be 2 or more"
                )
            return cls(hosts, "", "", database, _login(parts), {}, tls, options.rest())
        service = options.service(parts)
        hosts = _hosts(parts, 26379)
        return cls(hosts, "", service, database, _login(parts), options.login("sentinel_"), tls, options.rest())


def servers(urls: str, shards: int | None = None) -> list[str]:
    """The URL of the server, or of a cluster's nodes, that each shard lies on: with several URLs in turn.

    Raises:
        ValueError: a URL cannot be used, or not with this number of shards. The message quotes no secret.
    """
    named = _NEXT_URL.split(urls.strip())
    count = shards or len(named)
    if count < len(named):
        raise ValueError(f"names {len(named)} servers, so that DARWIN_REDIS_SHARDS must be at least {len(named)}")
    places = [place for url in named for place in RedisAddress.parse(url, nodes=count > 1).places]
    if len(set(places)) < len(places):
        raise ValueError(
            "names a server twice: name each once, and set DARWIN_REDIS_SHARDS where it is to have several shards"
        )
    return [named[number % len(named)] for number in range(count)]


def _split(url: str) -> SplitResult:
    """The parts of a URL; of several URLs of Sentinels, parts with all their hosts, separated by commas."""
    try:
        several = [urlsplit(each) for each in (url.split(";") if url.startswith("sentinel:") else [url])]
    except ValueError:
        raise ValueError(_FORM) from None
    if any(each.scheme not in _SCHEMES or each.fragment for each in several):
        raise ValueError(_FORM)
    if len(several) == 1:
        return several[0]
    logins, hosts = zip(*(each.netloc.rpartition("@")[::2] for each in several), strict=True)
    login = _only(logins, "user or password")
    path = _only([each.path.strip("/") for each in several], "path")
    query = _only([each.query for each in several], "options")
    return SplitResult("sentinel", f"{login}@{','.join(hosts)}".removeprefix("@"), f"/{path}", query, "")


def _only(values: Sequence[str], what: str) -> str:
    found = {value for value in values if value}
    if len(found) > 1:
        raise ValueError(f"names Sentinels that differ in {what}")
    return found.pop() if found else ""


def _hosts(parts: SplitResult, port: int) -> tuple[tuple[str, int], ...]:
    found = []
    listed = parts.netloc.rpartition("@")[2].split(",")
    for each in listed:
        try:
            one = urlsplit(f"//{each}")
            host, at = one.hostname, one.port or port
        except ValueError:
            raise ValueError(_FORM) from None
        if not host:
            raise ValueError(_FORM)
        found.append((unquote(host), at))
    return tuple(found)


def _login(parts: SplitResult) -> dict[str, str]:
    user, at, _ = parts.netloc.rpartition("@")
    name, _, password = user.partition(":")
    return {key: unquote(value) for key, value in (("username", name), ("password", password)) if at and value}


class _Options:
    """What stands after the `?`; each method takes what it reads away, and `rest` refuses what nobody read."""

    def __init__(self, parts: SplitResult) -> None:
        self._left = dict(parse_qsl(parts.query, keep_blank_values=True))

    def login(self, prefix: str) -> dict[str, str]:
        names = ("username", "password")
        return {name: value for name in names if (value := self._left.pop(f"{prefix}{name}", ""))}

    def database(self, parts: SplitResult) -> int:
        path = parts.path.strip("/")
        if parts.scheme == "sentinel" and "master_name" not in self._left:
            path = path.partition("/")[2]
        elif parts.scheme in ("unix", "redis+socket"):
            path = self._left.pop("virtual_host", "") if parts.scheme == "redis+socket" else ""
        text = self._left.pop("db", "") or path or "0"
        if not re.fullmatch(r"[0-9]{1,9}", text):
            raise ValueError("must name a database by its number")
        return int(text)

    def service(self, parts: SplitResult) -> str:
        name = self._left.pop("master_name", "") or unquote(parts.path.strip("/").partition("/")[0])
        if not name:
            raise ValueError("must name what Sentinels call the server: sentinel://host:26379,host:26379/name")
        return name

    def tls(self, scheme: str) -> dict[str, Any] | None:
        """The arguments of TLS; None where it is off.

        Raises:
            ValueError: an argument is wrong, a file cannot be used, or the scheme knows no TLS.
        """
        given = {name: self._left.pop(name) for name in list(self._left) if name.startswith("ssl_")}
        asked = scheme == "rediss" or bool(given)
        if (switch := self._left.pop("ssl", None)) is not None:
            asked = _flag("ssl", switch) or asked
        if asked and scheme not in ("rediss", "sentinel"):
            raise ValueError("has options of TLS, which needs rediss:// (or sentinel://)")
        if not asked:
            return None
        if unknown := sorted(given.keys() - _TLS.keys()):
            raise ValueError(f"knows no option {', '.join(unknown)}: of TLS it knows {', '.join(_TLS)}")
        tls: dict[str, Any] = {"ssl_cert_reqs": ssl.CERT_REQUIRED}
        tls |= {name: _TLS[name](name, value) for name, value in given.items()}
        tls["ssl_check_hostname"] = tls.get("ssl_check_hostname", True) and tls["ssl_cert_reqs"] != ssl.CERT_NONE
        _check_files(tls)
        return tls

    def rest(self) -> dict[str, Any]:
        if unknown := sorted(self._left.keys() - _OPTIONS.keys()):
            raise ValueError(f"knows no option {', '.join(unknown)}: it knows db, ssl_… and {', '.join(_OPTIONS)}")
        return {name: _OPTIONS[name](name, value) for name, value in self._left.items()}


def _flag(name: str, value: str) -> bool:
    if value.lower() not in (known := {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}):
        raise ValueError(f"has an option {name} that must be true or false")
    return known[value.lower()]


def _seconds(least: float) -> Callable[[str, str], float]:
    def read(name: str, value: str) -> float:
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", value) or float(value) < least:
            raise ValueError(f"has an option {name} that must be a number of seconds, at least {least:g}")
        return float(value)

    return read


def _requirement(name: str, value: str) -> ssl.VerifyMode:
    known = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}
    if (short := value.lower().removeprefix("cert_")) not in known:
        raise ValueError(f"has an option {name} that must be required, optional or none (or CERT_REQUIRED, …)")
    return known[short]


def _version(name: str, value: str) -> ssl.TLSVersion:
    known = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3, "771": ssl.TLSVersion.TLSv1_2}
    known |= {"772": ssl.TLSVersion.TLSv1_3}
    if (short := value.lower().removeprefix("tlsv").replace("_", ".")) not in known:
        raise ValueError(f"has an option {name} that must be TLSv1.2 or TLSv1.3")
    return known[short]


def _text(name: str, value: str) -> str:
    if not value:
        raise ValueError(f"has an option {name} without a value")
    return value


def _check_files(tls: Mapping[str, Any]) -> None:
    """Raises `ValueError` where certificates or keys cannot be loaded."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not Path(tls.get("ssl_ca_path", "/")).is_dir():
        raise ValueError("has an option ssl_ca_path that names no folder")
    trusted = {"cafile": "ssl_ca_certs", "capath": "ssl_ca_path", "cadata": "ssl_ca_data"}
    for argument, name in trusted.items():
        if name in tls:
            try:
                context.load_verify_locations(**{argument: tls[name]})
            except OSError as error:
                raise ValueError(f"has an option {name} that cannot be used: {_why(error)}") from None
    if "ssl_certfile" in tls or "ssl_keyfile" in tls:
        if "ssl_certfile" not in tls:
            raise ValueError("has an option ssl_keyfile, which needs ssl_certfile")
        try:
            # Without a password OpenSSL would ask for one on the terminal.
            context.load_cert_chain(tls["ssl_certfile"], tls.get("ssl_keyfile"), tls.get("ssl_password", ""))
        except (OSError, ValueError) as error:
            raise ValueError(f"has an option ssl_certfile or ssl_keyfile that cannot be used: {_why(error)}") from None
    if "ssl_ciphers" in tls:
        try:
            context.set_ciphers(tls["ssl_ciphers"])
        except ssl.SSLError:
            raise ValueError("has an option ssl_ciphers that names no cipher") from None


def _why(error: Exception) -> str:
    return "no such file" if isinstance(error, FileNotFoundError) else f"{getattr(error, 'strerror', None) or error}"


_Reader = Callable[[str, str], Any]
_TLS: Mapping[str, _Reader] = MappingProxyType(
    {
        "ssl_cert_reqs": _requirement,
        "ssl_check_hostname": _flag,
        "ssl_min_version": _version,
        **dict.fromkeys(("ssl_ca_certs", "ssl_ca_path", "ssl_ca_data", "ssl_certfile", "ssl_keyfile"), _text),
        **dict.fromkeys(("ssl_password", "ssl_ciphers"), _text),
    }
)
_OPTIONS: Mapping[str, _Reader] = MappingProxyType(
    {
        "client_name": _text,
        "health_check_interval": _seconds(0),
        "socket_connect_timeout": _seconds(0.1),
        "socket_keepalive": _flag,
        "socket_timeout": _seconds(_LEAST_TIMEOUT_S),
    }
)
