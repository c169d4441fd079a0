"""Formats compiled for one tokenizer, and matchers that say which tokens may come next under them.

llguidance does the work. It computes the allowed tokens lazily, so that compiling costs a millisecond. Its limits end
most of what is too complex in an error; the rest of what is hostile the gateway refuses, which has it compiled first.
"""

import importlib.util
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from shared.errors import InvalidRequest, Unsupported
from shared.records.formats import ResponseFormat
from shared.text.grammars import compiled, short

_KEPT = 64
_PROBE = '{"name": "Anne says that", "n": [1, 2.5]}'


def available() -> bool:
    """Whether llguidance is installed, without which no format can be followed here."""
    return importlib.util.find_spec("llguidance") is not None


class Matcher:
    """Follows one response under a format; `raw` is llguidance's. Not thread-safe."""

    def __init__(self, matcher: Any) -> None:
        self.raw = matcher

    def accept(self, token_ids: Sequence[int]) -> bool:
        """Advances by the ids; False where the format does not allow them, after which the matcher is of no use."""
        return bool(self.raw.consume_tokens(list(token_ids))) if token_ids else not self.raw.is_error()

    def complete(self) -> bool:
        """Whether the response may end here."""
        return bool(self.raw.is_accepting())

    def ended(self) -> bool:
        """Whether the response is complete, and nothing may follow."""
        return bool(self.raw.is_stopped() and self.raw.is_accepting())

    def allowed(self, vocabulary: int) -> Any:
        """Which tokens may come next: a numpy array of bool, shape (vocabulary,). The end-of-sequence ids are among
        them where the response may end, and alone where the matcher is at `fault`."""
        return Rows([self]).allowed(vocabulary)[0]

    def fault(self) -> str:
        """What went wrong, such as a limit that was exceeded; "" where nothing did."""
        return short(self.raw.get_error()) if self.raw.is_error() else ""


class Rows:
    """Several matchers, whose tokens are computed on several threads at once."""

    def __init__(self, matchers: Sequence[Matcher]) -> None:
        self._matchers = matchers

    def allowed(self, vocabulary: int) -> Any:
        """Which tokens may come next: a numpy array of bool, shape (matchers, vocabulary)."""
        import numpy as np

        words = (vocabulary + 31) // 32
        masks = np.zeros((len(self._matchers), words), dtype=np.int32)
        numbered = [(matcher.raw, row) for row, matcher in enumerate(self._matchers)]
        _executor().unsafe_compute_mask_ptr(numbered, masks.ctypes.data, words * 4, len(numbered))
        return np.unpackbits(masks.view(np.uint8), axis=1, bitorder="little")[:, :vocabulary].astype(bool)


@cache
def _executor() -> Any:
    from llguidance import LLExecutor

    return LLExecutor()


class Grammars:
    """Formats compiled for one tokenizer; those last used are kept. Thread-safe.

    `build_tokenizer` makes llguidance's tokenizer at the first format, which takes up to a second.
    """

    def __init__(self, build_tokenizer: Callable[[], Any]) -> None:
        self._build_tokenizer = build_tokenizer
        self._tokenizer: Any = None
        self._compiled: OrderedDict[ResponseFormat, Any] = OrderedDict()
        self._lock = threading.Lock()

    def matcher(self, wanted: ResponseFormat) -> Matcher:
        """A matcher at the beginning of a response.

        Raises:
            InvalidRequest: the format cannot be followed; the message says why.
            Unsupported: no format can be followed with this tokenizer.
        """
        with self._lock:
            compiled = self._compiled.get(wanted)
            if compiled is None:
                if self._tokenizer is None:
                    self._tokenizer = self._build_tokenizer()
                compiled = self._compiled[wanted] = _compile(wanted, self._tokenizer)
                if len(self._compiled) > _KEPT:
                    self._compiled.popitem(last=False)
            self._compiled.move_to_end(wanted)
            return Matcher(compiled.deep_copy())


def of_tokenizer(tokenizer: Any, vocabulary: int, end_ids: frozenset[int]) -> Grammars:
    """The grammars of a Hugging Face fast tokenizer whose model has so many embeddings."""

    def build() -> Any:
        from llguidance import LLTokenizer

        whole = json.loads(tokenizer.backend_tokenizer.to_str())
        whole |= {"padding": None, "truncation": None, "decoder": _with_spaces(whole.get("decoder"))}
        try:
            built = LLTokenizer(json.dumps(whole), n_vocab=max(vocabulary, len(tokenizer)), eos_token=sorted(end_ids))
            ids = tokenizer.encode(_PROBE, add_special_tokens=False)
            alike = built.decode_str(ids).strip() == tokenizer.decode(ids).strip()
        except ValueError:
            alike = False
        if not alike:
            raise Unsupported(
                "no format can be followed with the tokenizer of this deployment's model, whose tokens are no text by "
                "themselves: leave it out, and ask in words",
                field="sampling.format",
            )
        return built

    return Grammars(build)


def _with_spaces(decoder: Any) -> Any:
    """The tokenizer's decoder with the replacement that Metaspace stands for, which llguidance would overlook."""
    steps = decoder.get("decoders", [decoder]) if decoder else []
    if not any(step["type"] == "Metaspace" for step in steps):
        return decoder
    spaces = {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}
    rest = [step for step in steps if step["type"] != "Metaspace"]
    return {"type": "Sequence", "decoders": [spaces, *(rest or [{"type": "ByteFallback"}])]}


def _compile(wanted: ResponseFormat, tokenizer: Any) -> Any:
    try:
        return compiled(wanted, tokenizer)
    except ValueError as error:
        kind = wanted.kind.replace("_", " ")
        raise InvalidRequest(f"the {kind} cannot be followed: {error}", field="sampling.format") from error
