"""Runs one program of a client against one server."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

from tests.clients.environments import HERE, NotInstalled, clients, install, search_path

_LIMIT_S = 120.0
_LONGER_S = {"langchain/standard_suite": 900.0}
_LONGEST_REASON = 200
# "openai.BadRequestError: …", "AssertionError [ERR_ASSERTION]: …", "BadRequestError: 400 …"
_ERROR = re.compile(r"[\w.]*(Error|Exception|Exceeded\w*)( \[\w+\])?:")


@dataclass(frozen=True)
class Program:
    """A program of a client, in Python (.py) or JavaScript (.mjs)."""

    client: str
    path: Path

    @property
    def name(self) -> str:
        return f"{self.client}/{self.path.stem}"

    @property
    def purpose(self) -> str:
        """The first sentence of its docstring, or of the comment on its first line."""
        text = self.path.read_text()
        if self.path.suffix == ".mjs":
            return text.splitlines()[0].removeprefix("//").strip()
        return text.partition('"""')[2].partition('"""')[0].strip().splitlines()[0]


@dataclass(frozen=True)
class Outcome:
    """`reason` says why a program failed, in the words that it wrote itself; None where it works."""

    seconds: float
    reason: str | None
    log: str = ""


def programs(chosen: list[str], *, gate: bool = False) -> list[Program]:
    """The programs of these clients by client and name, or single ones by `client/program`; all of them, or those
    that the gate has time for."""
    found = [
        Program(client, path)
        for client, needs in clients().items()
        for path in sorted((HERE / "programs" / client).iterdir())
        if path.suffix in (".py", ".mjs") and not (gate and path.stem in needs.outside_gate)
    ]
    return [program for name in dict.fromkeys(chosen) for program in found if name in (program.client, program.name)]


def reasons() -> dict[str, str]:
    """Why programs fail against Darwin, by `client/program`, as far as somebody has looked."""
    entries: dict[str, str] = tomllib.loads((HERE / "reasons.toml").read_text())
    return entries


def run(program: Program, base_url: str, model: str) -> Outcome:
    """Runs a program as its user would: the base URL and the key are in the environment, and the model's name."""
    began = time.monotonic()
    try:
        folder = install(program.client)
    except NotInstalled as error:
        return Outcome(time.monotonic() - began, f"not installed: {error}"[:_LONGEST_REASON])
    limit_s = _limit_s(program)
    with tempfile.TemporaryDirectory() as home:
        environment = {"HOME": home, **_environment(program.client, base_url, model)}
        code, written = _finish(_command(program, folder), environment, Path(home), limit_s)
    return _outcome(code, written, time.monotonic() - began, limit_s)


def run_in_forks(client: str, chosen: list[Program], base_url: str, model: str) -> dict[str, Outcome]:
    """Outcomes by name of programs of one client in Python, which `run` would tell of each: importing the client, the
    most of what a short program takes, is done once (forks.py).

    Raises:
        NotInstalled: the client's environment cannot be made.
    """
    command = [str(install(client) / "bin" / "python"), "-P", str(HERE / "forks.py")]
    with tempfile.TemporaryDirectory() as folder:
        words = [word for program in chosen for word in (str(_limit_s(program)), str(program.path))]
        environment = {"HOME": folder, **_environment(client, base_url, model)}
        done = subprocess.run([*command, folder, *words], env=environment, capture_output=True, text=True, check=True)
        found = {}
        for program, line in zip(chosen, done.stdout.splitlines(), strict=True):
            told = json.loads(line)
            assert told["name"] == program.path.stem
            log = (Path(folder) / f"{program.path.stem}.log").read_text(errors="replace")
            found[program.name] = _outcome(told["code"], log, told["seconds"], _limit_s(program))
    return found


def _limit_s(program: Program) -> float:
    return _LONGER_S.get(program.name, _LIMIT_S)


def _environment(client: str, base_url: str, model: str) -> dict[str, str]:
    return {
        "PATH": search_path(client),
        "OPENAI_BASE_URL": base_url,
        "OPENAI_API_BASE": base_url,
        "OPENAI_API_KEY": "none",
        "MODEL": model,
        # Nothing but the server is called: no client sends home what is done with it.
        "OTEL_SDK_DISABLED": "true",
        "CREWAI_DISABLE_TELEMETRY": "true",
        "PROMPTFOO_DISABLE_TELEMETRY": "1",
        "PROMPTFOO_DISABLE_UPDATE": "1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }


def _outcome(code: int | None, written: str, seconds: float, limit_s: float) -> Outcome:
    if code is None:
        return Outcome(seconds, f"not finished after {limit_s:.0f} s", written)
    return Outcome(seconds, None if code == 0 else _reason(written), written)


def _command(program: Program, folder: Path) -> list[str]:
    if program.path.suffix == ".py":
        return [str(folder / "bin" / "python"), "-P", str(program.path)]
    # Node looks for packages beside the program's file.
    copy = folder / program.path.name
    shutil.copy(program.path, copy)
    return ["node", str(copy)]


def _finish(command: list[str], environment: dict[str, str], home: Path, limit_s: float) -> tuple[int | None, str]:
    """The exit code, None where it was ended at the limit with all that it started, and what it wrote."""
    log = home / "program.log"
    with log.open("wb") as out:
        child = subprocess.Popen(
            command,
            env=environment,
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = child.wait(limit_s)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
    return code, log.read_text(errors="replace")


def _reason(written: str) -> str:
    """The line that says most: a program's own last one, or the last that names an error where it raised one."""
    lines = [line.strip() for line in written.splitlines() if line.strip()] or ["(no message)"]
    if " of " in lines[-1] and " pass" in lines[-1]:
        return lines[-1]
    errors = [line for line in lines if _ERROR.match(line)]
    return (errors or lines)[-1][:_LONGEST_REASON]
