"""A container's health check: `python -m shared.healthcheck` ends with exit code 0 where the process is well, else 1.

The ready file of the process (`DARWIN_READY_FILE`) says how to check it. Each check is a new process, so it imports
only what it needs. With mutual TLS it shows the process's own certificate, which has to be valid for 127.0.0.1.
"""

import http.client
import json
import sys
import time
from pathlib import Path

from pydantic import Field

from shared.process.ready import Ready
from shared.process.settings import DarwinSettings, refusing

TIMEOUT_S = 3.0
# A process without a server writes its ready file each second.
STALE_S = 10.0
_THIS_MACHINE = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}


class HealthcheckSettings(DarwinSettings):
    ready_file: Path = Field(description="of the process that is checked")


def problem(ready_file: Path) -> str | None:
    """What is wrong with the process of a ready file, or None where it is well. Takes up to `TIMEOUT_S` seconds."""
    try:
        age_s = time.time() - ready_file.stat().st_mtime
        ready = Ready(**json.loads(ready_file.read_text()))
    except (OSError, ValueError, TypeError) as error:
        return f"there is no ready file: {error}"
    host, _, port = ready.address.rpartition(":")
    host = _THIS_MACHINE.get(host, host)
    if ready.health == "grpc":
        return _grpc(f"{host}:{port}")
    if ready.health == "http":
        return _http(host.strip("[]"), int(port))
    return None if age_s < STALE_S else f"it was last seen {age_s:.0f} s ago"


def _grpc(address: str) -> str | None:
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    from shared.rpc.tls import NO_PROXY, Transport

    secret = Transport().channel_credentials(address)
    with (
        grpc.secure_channel(address, secret, options=NO_PROXY)
        if secret
        else grpc.insecure_channel(address, options=NO_PROXY)
    ) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_S)
        except grpc.RpcError as error:
            return f"{address}: {error.code().name}"
    status = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    return None if status == "SERVING" else f"{address}: {status}"


def _http(host: str, port: int) -> str | None:
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"{host}:{port}: {error}"
    finally:
        connection.close()
    return None if status == http.HTTPStatus.OK else f"{host}:{port}: {status}"


def main() -> None:
    with refusing("healthcheck"):
        found = problem(HealthcheckSettings().ready_file)
    sys.exit(found)


if __name__ == "__main__":
    main()
