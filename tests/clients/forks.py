"""Runs Python programs one after another, each in a fork of one process that has imported what they import.

usage: python -P forks.py FOLDER [SECONDS PROGRAM]…

Works in any client's environment. A program has a home of its own in FOLDER and writes its log beside it (NAME,
NAME.log); a line of JSON says of each in turn how it ended: its exit code, None where it was killed after SECONDS.
"""

import ast
import contextlib
import importlib
import json
import os
import runpy
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

# What libraries load at their first call only.
_LATER = ("openai.resources",)


def imports(program: Path) -> Iterator[str]:
    """The statements by which it imports what it needs from the beginning."""
    for node in ast.parse(program.read_text()).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield ast.unparse(node)


def warm(programs: list[Path]) -> None:
    """Imports what they do; what cannot be imported is left to the program, which says so."""
    for statement in sorted({statement for program in programs for statement in imports(program)}):
        with contextlib.suppress(Exception):
            exec(statement, {})
    for name in _LATER:
        if name.partition(".")[0] in sys.modules:
            importlib.import_module(name)


def ended(child: int, seconds: float) -> int | None:
    """The exit code of a process, which is killed with all that it started where it takes longer than `seconds`."""
    give_up = time.monotonic() + seconds
    while (found := os.waitpid(child, os.WNOHANG)) == (0, 0):
        if time.monotonic() > give_up:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return None
        time.sleep(0.01)
    return os.waitstatus_to_exitcode(found[1])


def become(program: Path, folder: Path) -> None:
    """Has this process be one that was started for the program, as far as a program can tell."""
    os.setsid()
    home = folder / program.stem
    home.mkdir()
    os.chdir(home)
    os.environ["HOME"] = str(home)
    for number, (file, flags) in enumerate([(Path(os.devnull), os.O_RDONLY), (home.with_suffix(".log"), os.O_WRONLY)]):
        opened = os.open(file, flags | os.O_CREAT)
        os.dup2(opened, number)
    os.dup2(1, 2)
    sys.argv = [str(program)]
    runpy.run_path(str(program), run_name="__main__")


def main() -> None:
    folder, *given = sys.argv[1:]
    limits = {Path(program): float(seconds) for seconds, program in zip(given[::2], given[1::2], strict=True)}
    warm(list(limits))
    for program, seconds in limits.items():
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            return become(program, Path(folder))
        code = ended(child, seconds)
        print(json.dumps({"name": program.stem, "code": code, "seconds": time.monotonic() - began}), flush=True)
    return None


if __name__ == "__main__":
    main()
