"""The token ids of prompts, kept for the rounds that come: a search continues the same prompts in each of them."""

import threading
from array import array
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b

from services.generation.messages import GenerateRequest, Sequence
from shared.records.evolution import Message

_BESIDE = 256
"""Bytes that an entry takes besides its ids, about."""


class PromptCache:
    """Keeps the prompts used last, of `most_bytes` together. Used from several threads at once."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, array[int]] = OrderedDict()
        self._bytes = 0

    @property
    def size(self) -> int:
        """The bytes that the kept prompts take."""
        return self._bytes

    def get(self, key: bytes, encode: Callable[[], tuple[int, ...]]) -> tuple[tuple[int, ...], bool]:
        """The ids that are kept under the key, or those that `encode` gives, which are kept then; and whether they were
        kept. What `encode` raises passes through, and nothing is kept."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
        if found is not None:
            return tuple(found), True
        ids = encode()
        self._keep(key, array("I", ids))
        return ids, False

    def _keep(self, key: bytes, ids: "array[int]") -> None:
        if _size(ids) > self._most:
            return
        with self._lock:
            if key in self._kept:
                return
            self._kept[key] = ids
            self._bytes += _size(ids)
            while self._bytes > self._most:
                self._bytes -= _size(self._kept.popitem(last=False)[1])


class PromptKeys:
    """The keys of one call's prompts: digests of everything that their ids depend on, and of the call's salt, so that
    the time that a call takes tells nothing of what other tenants asked.

    None are given where the chat template would print the time of each call. Messages that sequences share, as objects,
    are digested once.
    """

    def __init__(self, request: GenerateRequest) -> None:
        inputs = request.inputs
        self._timed = inputs.now == 0
        common = (request.cache_salt, inputs.now, tuple(inputs.tools), sorted(inputs.arguments.items()), inputs.effort)
        self._common = repr(common).encode()
        self._digests: dict[int, bytes] = {}

    def of(self, sequence: Sequence) -> bytes | None:
        """The key of a sequence's prompt, which must live as long as these keys."""
        raw = sequence.raw_prompt
        if raw is None and self._timed:
            return None
        whole = blake2b(self._common, digest_size=32)
        if raw is not None:
            whole.update(b"raw" + raw.text.encode())
        for message in sequence.messages:
            whole.update(self._digest(message))
        return whole.digest()

    def _digest(self, message: Message) -> bytes:
        digest = self._digests.get(id(message))
        if digest is None:
            said = (message.role, message.content, message.tool_calls, message.tool_call_id, message.reasoning)
            digest = self._digests[id(message)] = blake2b(repr(said).encode(), digest_size=32).digest()
        return digest


def _size(ids: "array[int]") -> int:
    return _BESIDE + ids.itemsize * len(ids)
