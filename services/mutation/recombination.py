"""Mutants that quote earlier responses: several to be combined, a crossover, or one to be improved, a refine. Pure.

The original instruction comes first, verbatim, so that what it demands still stands, and what is quoted can neither be
taken for it nor end: each quoted line follows a mark of its own.

Sources: arXiv 2406.04692 and 2509.26626 for combining, 2303.17651 for criticising and improving.
"""

import re
from collections.abc import Sequence

from services.mutation.demands import Demands
from services.mutation.neutral_lines import NEUTRAL
from services.mutation.recombination_lines import FRAMES, IN_ITS_LANGUAGE
from shared.records.limits import MAX_QUOTED_CHARACTERS

CROSSOVER, REFINE = "crossover", "refine"
CRITIQUE_CHARACTERS = 800

_FEWEST = 2
_SENTENCE_END = re.compile(r"[.!?…][\"'”’)\]]*(?=\s|$)|[。！？][」』”’）]*|\n")
_CUT = "[…]"


def crossover(original: str, responses: Sequence[str], demands: Demands) -> str | None:
    """The instruction that asks to combine the responses, best first; None of fewer than two distinct ones."""
    share = MAX_QUOTED_CHARACTERS // max(_FEWEST, len(responses))
    excerpts = list(dict.fromkeys(excerpt(response, share) for response in responses if response.strip()))
    if len(excerpts) < _FEWEST:
        return None
    frame = FRAMES[_language(demands)]
    answers = [f"{frame.answer} {number}:\n\n{quoted(text)}" for number, text in enumerate(excerpts, start=1)]
    return "\n\n".join((original, frame.several, *answers, _asked(frame.combine, demands)))


def refine(original: str, response: str, critique: str, demands: Demands) -> str:
    """The instruction that asks to improve the response by the critique; without one it is to be reviewed first."""
    frame = FRAMES[_language(demands)]
    answer = quoted(excerpt(response, MAX_QUOTED_CHARACTERS // _FEWEST))
    review = (frame.review, quoted(critique), frame.improve) if critique else (frame.recheck,)
    *before, asked = review
    return "\n\n".join((original, frame.one, answer, *before, _asked(asked, demands)))


def operator_of(text: str, original: str) -> str | None:
    """Which of the two operators made `text` of the original; None where neither did."""
    behind = text.removeprefix(f"{original}\n\n")
    if behind == text:
        return None
    for frame in FRAMES.values():
        for operator, line in ((CROSSOVER, frame.several), (REFINE, frame.one)):
            if behind.startswith(f"{line}\n\n>" if operator is REFINE else f"{line}\n\n{frame.answer} 1:\n\n>"):
                return operator
    return None


def quoted(text: str) -> str:
    """The text with a mark before each of its lines, whatever ends them."""
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def excerpt(text: str, most: int) -> str:
    """The text, where it is longer its beginning of at most `most` characters, up to the end of a sentence if there is
    one in the second half, and a mark that it goes on.
    """
    text = text.strip()
    if len(text) <= most:
        return text
    beginning = text[:most]
    end = sentences_end(beginning)
    return f"{beginning[:end].rstrip() if 2 * end >= most else beginning} {_CUT}"


def sentences_end(text: str) -> int:
    """How many characters of a text its whole sentences have; 0 where none ends."""
    return max((found.end() for found in _SENTENCE_END.finditer(text)), default=0)


def _language(demands: Demands) -> str:
    """That of the lines: the request's where it has lines, else English."""
    return demands.language if demands.language in FRAMES else "en"


def _asked(line: str, demands: Demands) -> str:
    """The line at the end, with what keeps a fixed form and a language without lines."""
    language = _language(demands)
    lines = [line]
    if demands.strict:
        lines.append(dict(NEUTRAL[language])["keep_form"])
    if language != demands.language:
        lines.append(IN_ITS_LANGUAGE)
    return ("" if language in ("zh", "ja") else " ").join(lines)
