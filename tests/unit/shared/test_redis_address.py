"""`DARWIN_REDIS_URL` in every spelling that redis-py's and Celery's users know, and in those that are refused."""

import ssl
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from shared.process.settings import StoreSettings, reasons
from shared.redis_address import RedisAddress, servers

REQUIRED = {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True}
NONE = {"ssl_cert_reqs": ssl.CERT_NONE, "ssl_check_hostname": False}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://host", RedisAddress((("host", 6379),))),
        ("redis://host:1/2", RedisAddress((("host", 1),), database=2)),
        ("redis://host:1/?db=2", RedisAddress((("host", 1),), database=2)),
        ("redis://[::1]:5", RedisAddress((("::1", 5),))),
        ("redis://:p%40%2F@host", RedisAddress((("host", 6379),), login={"password": "p@/"})),
        ("redis://me:p@host", RedisAddress((("host", 6379),), login={"username": "me", "password": "p"})),
        (
            "redis://host?client_name=me&socket_keepalive=true&socket_timeout=9",
            RedisAddress(
                (("host", 6379),), options={"client_name": "me", "socket_keepalive": True, "socket_timeout": 9.0}
            ),
        ),
        ("unix:///run/r.sock", RedisAddress(socket="/run/r.sock")),
        ("unix:///run/r.sock?db=3&password=a%2Fb", RedisAddress((), "/run/r.sock", "", 3, {"password": "a/b"})),
        ("unix://me:p@/r.sock", RedisAddress((), "/r.sock", login={"username": "me", "password": "p"})),
        ("redis+socket:///run/r.sock?virtual_host=3", RedisAddress(socket="/run/r.sock", database=3)),
        (
            "sentinel://me:p@a:1,b/main/3?sentinel_username=s&sentinel_password=q",
            RedisAddress(
                (("a", 1), ("b", 26379)),
                "",
                "main",
                3,
                {"username": "me", "password": "p"},
                {"username": "s", "password": "q"},
            ),
        ),
        ("sentinel://a/main", RedisAddress((("a", 26379),), "", "main")),
        ("sentinel://a:1;sentinel://b:2/3?master_name=main", RedisAddress((("a", 1), ("b", 2)), "", "main", 3)),
        (
            "sentinel://:p@a:1;sentinel://:p@b:2/main",
            RedisAddress((("a", 1), ("b", 2)), "", "main", 0, {"password": "p"}),
        ),
        ("sentinel://a/main?ssl=true", RedisAddress((("a", 26379),), "", "main", tls=REQUIRED)),
        ("rediss://host", RedisAddress((("host", 6379),), tls=REQUIRED)),
        ("rediss://host?ssl_cert_reqs=none", RedisAddress((("host", 6379),), tls=NONE)),
        ("rediss://host?ssl_cert_reqs=CERT_NONE", RedisAddress((("host", 6379),), tls=NONE)),
        ("rediss://host?ssl_cert_reqs=CERT_REQUIRED", RedisAddress((("host", 6379),), tls=REQUIRED)),
        (
            "rediss://host?ssl_cert_reqs=optional&ssl_check_hostname=false&ssl_min_version=TLSv1_3",
            RedisAddress(
                (("host", 6379),),
                tls={
                    "ssl_cert_reqs": ssl.CERT_OPTIONAL,
                    "ssl_check_hostname": False,
                    "ssl_min_version": ssl.TLSVersion.TLSv1_3,
                },
            ),
        ),
    ],
)
def test_a_url_is_read(url: str, expected: RedisAddress) -> None:
    assert RedisAddress.parse(url) == expected
    assert StoreSettings(redis_url=url).redis_url == url


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "must be redis://"),
        ("host:6379", "must be redis://"),
        ("http://host", "must be redis://"),
        ("redis://", "must be redis://"),
        ("redis://host:99999", "must be redis://"),
        ("redis://user:top?secret@host", "must be redis://"),
        ("redis://user:1?secret@host", "must be redis://"),
        ("redis://host/secret", "by its number"),
        ("redis://host/-1", "by its number"),
        ("redis://a,b/0", "must name one host"),
        ("unix://run/secret", "three slashes"),
        ("unix://", "three slashes"),
        ("sentinel://a:1", "what Sentinels call the server"),
        ("sentinel://a/main;sentinel://b/other", "differ in path"),
        ("sentinel://:secret@a/main;sentinel://:x@b", "differ in user or password"),
        ("redis://host?ssl_cert_reqs=none", "needs rediss://"),
        ("unix:///r.sock?ssl_cert_reqs=none", "needs rediss://"),
        ("rediss://host?ssl_cert_reqs=secret", "must be required, optional or none"),
        ("rediss://host?ssl_check_hostname=secret", "must be true or false"),
        ("rediss://host?ssl_min_version=1", "TLSv1.2 or TLSv1.3"),
        ("rediss://host?ssl_ciphers=secret", "names no cipher"),
        ("rediss://host?ssl_cret_reqs=none", "no option ssl_cret_reqs"),
        ("rediss://host?ssl_ca_certs=/no/such.pem", "ssl_ca_certs that cannot be used: no such file"),
        ("rediss://host?ssl_ca_path=/no/such", "ssl_ca_path that names no folder"),
        ("rediss://host?ssl_certfile=/no/such.pem", "ssl_certfile or ssl_keyfile that cannot be used: no such file"),
        ("rediss://host?ssl_keyfile=/no/such.pem", "needs ssl_certfile"),
        ("redis://host?decode_responses=true", "no option decode_responses"),
        ("redis://host?socket_timeout=1", "at least 4"),
        ("redis://host?client_name=", "without a value"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line_without_secrets(
    url: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DARWIN_REDIS_URL", url)
    with pytest.raises(ValidationError) as raised:
        StoreSettings()
    [line] = reasons(raised.value)
    assert reason in line
    assert line.startswith("DARWIN_REDIS_URL: ")
    assert not any(word in line for word in ("secret", "\n", "top"))


def test_certificates_are_loaded_before_anything_is_spent(tmp_path: Path) -> None:
    broken = tmp_path / "ca.pem"
    broken.write_text("no certificate")
    with pytest.raises(ValueError, match="ssl_ca_certs that cannot be used"):
        RedisAddress.parse(f"rediss://host?ssl_ca_certs={broken}")


def test_secrets_are_not_shown() -> None:
    address: Any = RedisAddress.parse(
        "sentinel://me:secret@a/main?sentinel_password=secret&ssl=1&ssl_ciphers=AES256-SHA"
    )
    assert "secret" not in repr(address)


@pytest.mark.parametrize(
    ("urls", "shards", "found"),
    [
        ("redis://a/0", None, ["redis://a/0"]),
        ("redis://a/0,redis://b/0", None, ["redis://a/0", "redis://b/0"]),
        (" redis://a , rediss://b ", 2, ["redis://a", "rediss://b"]),
        ("redis://a,redis://b", 3, ["redis://a", "redis://b", "redis://a"]),
        ("redis://a:1,b:2", 2, ["redis://a:1,b:2"] * 2),
        ("redis://a/0,redis://a/1", None, ["redis://a/0", "redis://a/1"]),
        ("sentinel://a,b/main,sentinel://a,b/other", None, ["sentinel://a,b/main", "sentinel://a,b/other"]),
    ],
)
def test_each_shard_lies_on_a_server_in_turn(urls: str, shards: int | None, found: list[str]) -> None:
    assert servers(urls, shards) == found


@pytest.mark.parametrize(
    ("urls", "shards", "why"),
    [
        ("redis://a,redis://b", 1, "must be at least 2"),
        ("redis://a,redis://a", None, "names a server twice"),
        ("redis://a,redis://me:secret@A:6379/0", None, "names a server twice"),
        ("redis://a,b,redis://c,b", 4, "names a server twice"),
        ("unix:///r.sock,redis+socket:///r.sock", None, "names a server twice"),
        ("", 2, "must be redis://"),
        ("redis://a,", None, "must be redis://"),
        ("redis://a,,redis://b", None, "must be redis://"),
        ("redis://a,b", None, "nodes of a Redis Cluster"),
        ("redis://a,b", 1, "DARWIN_REDIS_SHARDS must be 2 or more"),
        ("redis://a,http://b", None, "must be redis://"),
        ("redis://a,redis://user:1?secret@b", None, "must be redis://"),
    ],
)
def test_shards_that_cannot_be_are_refused(urls: str, shards: int | None, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        servers(urls, shards)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("shards", ["abc", "0", "-1", "2.0", "1e1", "257", "9" * 30, "two secret"])
@pytest.mark.parametrize("url", ["redis://a", "redis://a,b", "redis://a,redis://b"])
def test_a_number_of_shards_that_is_none_is_refused_in_one_line(
    shards: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DARWIN_REDIS_URL", url)
    monkeypatch.setenv("DARWIN_REDIS_SHARDS", shards)
    with pytest.raises(ValidationError) as raised:
        StoreSettings()
    assert reasons(raised.value) == [
        "DARWIN_REDIS_SHARDS: must be a whole number from 1 to 256, of the shards that evolutions are spread over; "
        "left out, each server of DARWIN_REDIS_URL has one"
    ]


@pytest.mark.parametrize(("shards", "count"), [("", None), (" 1 ", 1), ("256", 256)])
def test_a_number_of_shards_is_read(shards: str, count: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARWIN_REDIS_SHARDS", shards)
    assert StoreSettings().redis_shards == count
