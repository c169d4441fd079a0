"""Whether a rewrite keeps what its conversation demands. Pure."""

import re

from services.mutation.demands.kinds import Aspect, Demand
from services.mutation.demands.reading import Demands, kinds_of
from shared.text.folding import folded
from shared.text.languages import ends_of, language_of

# In the languages that `reading` reads, together: no word of one of them imposes less in another.
_IMPOSING: dict[Aspect, re.Pattern[str]] = {
    Aspect.LENGTH: re.compile(
        r"\b(?:details?|detailed|in depth|thorough|thoroughly|comprehensive|comprehensively|elaborate|at length"
        r"|extensive"
        r"|long|longer|background|context|examples?|ausfuhrlich\w*|genauer|eingehend|beispiele\w*|approfondi\w*"
        r"|detaill\w*"
        r"|exemples?|detallad\w*|detalles?|profundidad|ejemplos?|dettagli\w*|esempi|detalh\w*|exemplos?"
        r"|uitgebreid|voorbeelden)\b"
        r"|详细|詳細|深入|例子|详尽|詳しく|例を"
    ),
    Aspect.PROSE: re.compile(
        r"\b(?:paragraph\w*|essay|full sentences|absatz\w*|absatze\w*|parrafos?|paragrafi)\b|段落|文章で"
    ),
    Aspect.REASONS: re.compile(
        r"\b(?:explain|explanations?|reason\w*|why|justify|describe|discuss|because|analy[sz]e|erklar\w*"
        r"|begrund\w*|warum"
        r"|expliqu\w*|pourquoi|explic\w*|expliq\w*|por que|spieg\w*|perche|waarom|uitleg\w*)\b|解释|解釋|理由"
        r"|为什么|説明|なぜ"
    ),
    Aspect.STEPS: re.compile(
        r"\b(?:steps?|plan|outline|first|then|before you answer|schritt\w*|zuerst|etapes?|d'abord|pasos?|primero"
        r"|passi|passo"
        r"|prima|stappen|eerst)\b|步骤|一步|首先|手順|まず"
    ),
}


def imposed(text: str) -> frozenset[Aspect]:
    """What a text asks for beside its bare answer."""
    plain = folded(ends_of(text))
    return frozenset(aspect for aspect, words in _IMPOSING.items() if words.search(plain))


def keeps(rewrite: str, original: str, demands: Demands) -> bool:
    """Whether a rewrite of `original` stays in its language, loses none of its demands, and adds nothing that the whole
    conversation forbids.
    """
    languages = {language_of(rewrite), language_of(original)} - {None}
    if len(languages) > 1:
        return False
    if kinds_of(original) - kinds_of(rewrite) - {Demand.ENUMERATION, Demand.DETAIL}:
        return False
    return not (imposed(rewrite) - imposed(original)) & demands.forbids
