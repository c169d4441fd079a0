"""The checks of a component as a scorer: their weighted mean, in [0, 1], and what each of them gives."""

from collections.abc import Callable, Sequence
from math import fsum

from services.reward.rules.checks import Check, Finding, LengthCheck, Said
from services.reward.scorer import ComponentScore, ItemScorer, Part, ScoreItem
from services.reward.segments import literal_text
from shared.text.embedded_models import EMBEDDED_LLM, resolve
from shared.text.tokenizers import load_embedded_tokenizer, load_tokenizer

NOTHING_SAID = Finding(0.0)
"""What every check gives for a response that has ended and says nothing."""


class RulesScorer(ItemScorer):
    """Judges by `checks`. Tokens are those of `tokenizer`, a folder or a Hugging Face id, or of the embedded language
    model."""

    def __init__(self, checks: Sequence[Check], tokenizer: str | None = None) -> None:
        self._checks = checks
        self._tokenizer = tokenizer
        self._weights = fsum(check.weight for check in checks)
        self._tokens: Callable[[str], int] = len

    def load(self) -> None:
        if any(isinstance(check, LengthCheck) and check.unit == "tokens" for check in self._checks):
            named = self._tokenizer
            tokenizer = load_tokenizer(resolve(named)) if named else load_embedded_tokenizer(resolve(EMBEDDED_LLM))
            encoder = literal_text(tokenizer)
            self._tokens = lambda text: len(encoder.encode_text(text))

    def _score(self, item: ScoreItem) -> ComponentScore:
        written, text, question = map(_encodable, (item.written or item.text, item.text, item.conversation.instruction))
        said = Said(written, text, item.partial, question, self._tokens)
        ended_empty = not item.partial and not written.strip()
        found = [NOTHING_SAID if ended_empty else check.judge(said) for check in self._checks]
        named = list(zip(self._checks, found, strict=True))
        value = fsum(check.weight * finding.value for check, finding in named) / self._weights
        return ComponentScore(value, parts=tuple(Part(check.name, each.value, each.known) for check, each in named))


def _encodable(text: str) -> str:
    """The text with a question mark for each half of a surrogate pair, which JSON can spell and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode()
