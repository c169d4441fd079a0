"""A service whose model loads for ever, in a thread and in a process that it has started, as an engine's may."""

import asyncio
import subprocess
import time

from shared.rpc.service import Service, run_service
from shared.rpc.tls import Transport


def _load() -> None:
    subprocess.Popen(["sleep", "600"])
    time.sleep(600)


async def _start() -> None:
    await asyncio.to_thread(_load)


async def _stop() -> None: ...


if __name__ == "__main__":
    run_service(Service("loading", [], lambda *_: None, object(), _start, _stop), "127.0.0.1:0", Transport())
