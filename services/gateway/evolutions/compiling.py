"""A process that says whether formats can be followed; `python -m` starts it.

It is told apart from the gateway because a format that a stranger wrote may take all the time, memory or stack there
is. A line in is the kind and the definition of a format, one out says why it cannot be followed ("" where it can) and
whether the process goes on, as JSON. It ends once nobody writes to it, when a format has used up what it may, and when
it has grown, so that each format finds most of the memory free.
"""

import json
import resource
import signal
import sys
from pathlib import Path

from shared.records.formats import ResponseFormat
from shared.text.grammars import ByteVocabulary, compiled

_CPU_S = 2
"""Seconds of computing that one format may take; ordinary ones take milliseconds."""
_MEMORY_BYTES = 128 << 20
"""Of addresses. It begins with 30 MB, and ordinary formats take some kilobytes."""
_GROWN_BYTES = 40 << 20
"""Of addresses, where the system tells them."""


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _lower(resource.RLIMIT_AS, _MEMORY_BYTES)
    _lower(resource.RLIMIT_CORE, 0)
    tokenizer = ByteVocabulary(1, 0).tokenizer()
    for line in sys.stdin.buffer:
        used = resource.getrusage(resource.RUSAGE_SELF)
        _lower(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + 1 + _CPU_S)
        problem = ""
        try:
            compiled(ResponseFormat(*json.loads(line)), tokenizer)
        except ValueError as error:
            problem = str(error)
        sys.stdout.write(json.dumps([problem, _size() < _GROWN_BYTES]) + "\n")
        sys.stdout.flush()


def _size() -> int:
    """Bytes of addresses that the process holds; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


def _lower(what: int, soft: int) -> None:
    """Sets the limit that the process may raise again, within the one that it may not."""
    _, hard = resource.getrlimit(what)
    resource.setrlimit(what, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


if __name__ == "__main__":
    main()
