"""Bytes that Redis has appended to its file, by what they are for: what a round truly writes, whoever wrote it."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

KINDS = ("request", "state", "result", "head", "events", "attempts", "summary", "queue", "rest")
_STREAMS = {":events": "events", ":attempts": "attempts", ":state": "state"}
_FIELDS = {"progress": "head"} | {name: name for name in KINDS}
_ATTEMPT = re.compile(r"a\d+")


def written(folder: Path) -> Counter[str]:
    """Bytes by kind in the append-only files of a server's data folder."""
    counted: Counter[str] = Counter()
    for path in sorted(folder.glob("appendonlydir/*.incr.aof")):
        for size, words in _commands(path.read_bytes()):
            _count(counted, size, words)
    return counted


def _commands(data: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """Each command with its size in the file."""
    at = 0
    while at < len(data):
        begin = at
        end = data.index(b"\r\n", at)
        count, at = int(data[at + 1 : end]), end + 2
        words = []
        for _ in range(count):
            end = data.index(b"\r\n", at)
            length = int(data[at + 1 : end])
            words.append(data[end + 2 : end + 2 + length])
            at = end + 2 + length + 2
        yield at - begin, words


def _count(counted: Counter[str], size: int, words: list[bytes]) -> None:
    command, key = words[0].upper(), words[1].decode() if len(words) > 1 else ""
    if command in (b"LPUSH", b"RPUSH", b"BRPOP", b"RPOP"):
        counted["queue"] += size
    elif kind := next((kind for end, kind in _STREAMS.items() if key.endswith(end)), None):
        counted[kind] += size
    elif command in (b"HSET", b"HMSET") and key.startswith("darwin:evo:"):
        for field, value in zip(words[2::2], words[3::2], strict=True):
            for kind, part in _parts(field.decode(), value):
                counted[kind] += part
                size -= part
        counted["rest"] += size
    else:
        counted["rest"] += size


def _parts(field: str, value: bytes) -> Iterator[tuple[str, int]]:
    """What a field of a record holds. One that holds a whole record is taken apart."""
    if field != "body":
        yield "attempts" if _ATTEMPT.fullmatch(field) else _FIELDS.get(field, "rest"), len(value)
        return
    left = len(value)
    record = json.loads(value)
    for name in ("request", "state", "result"):
        if record.get(name) is not None:
            size = len(json.dumps(record[name], ensure_ascii=False, separators=(",", ":")).encode())
            left -= size
            yield name, size
    yield "head", left
