"""Why an endpoint ended a sequence, in its own words and ours."""

import logging
import re
from typing import Literal

log = logging.getLogger(__name__)

SequenceEnding = Literal["ended", "length", "lost"]
"""The response is complete or nothing would follow it; it can be continued; the endpoint has dropped it."""

_WORDS: dict[SequenceEnding, str] = {
    "ended": """
        stop stopped eos eos_token end end_turn end_of_text end_of_sequence stop_sequence stop_string stop_token
        stop_word word complete completed finished done tool_calls tool_call tool_use function_call
        content_filter content_filtered filtered safety recitation refusal blocklist prohibited_content blocked
    """,
    "length": """
        length limit max_tokens max_length max_new_tokens max_output_tokens max_completion_tokens token_limit
        model_length context_length context_window model_context_window_exceeded
    """,
    "lost": "abort aborted cancelled canceled error failed timeout unload",
}
_ENDINGS: dict[str, SequenceEnding] = {word: ending for ending, words in _WORDS.items() for word in words.split()}
_IDENTIFIER = re.compile(r"\w{1,40}", re.ASCII)


class FinishReasons:
    """Reads an endpoint's finish reasons. One that is unknown is logged once; then the number of tokens decides."""

    def __init__(self) -> None:
        self._unknown: set[str] = set()

    def read(self, reason: str | None, sampled: int, requested: int) -> SequenceEnding:
        """How a sequence ended of which `sampled` tokens came, where `requested` were requested.

        Under an unknown reason, or none, fewer tokens than requested are the end of the response.
        """
        word = (reason or "").strip().lower().replace("-", "_").replace(" ", "_").removeprefix("finish_reason_")
        known = _ENDINGS.get(word)
        if known is not None:
            return known
        self._log_unknown(word if _IDENTIFIER.fullmatch(word) else "")
        return "ended" if sampled < requested else "length"

    def _log_unknown(self, word: str) -> None:
        if word in self._unknown or len(self._unknown) > 50:
            return
        self._unknown.add(word)
        named = f"the finish reason {word}, which is not known" if word else "no finish reason that can be read"
        log.warning("the endpoint gives %s: fewer tokens than asked for are taken as the end", named)
