"""Which wishes are about an answer's words alone: how plain they are, their tone, their language. Pure.

Such wishes go with any form of the answer. Only wishes of a known shape are taken for such: one that is not recognised
may ask for something else as well, such as an end or a list. Words are folded, see `shared.text.folding`.
"""

import re

from services.mutation.demands import Demand, imposed, kinds_of, languages_named
from shared.text.folding import folded

# What may stand before: whole words, of which none is given back.
_LEAD = (
    r"(?:(?:answers?|replies|reply|speaks?|writes?|written|uses?|using|keeps?|be|is|stays?|has|in|with|an?|the|only"
    r"|always|very|rather|please"
    r"|antwortet?|schreibt?|verwendet?|benutzt?|mit|auf|immer|sehr|eine[mnr]?|im"
    r"|avec|des|un|en|dans|toujours|tres|con|usa|muy|una|siempre|sempre|molto"
    r"|met|gebruikt?|een|op|altijd|com|em|uma?|muito) )*+"
)
_MANNERS = (
    r"(?:(?:short|plain|simple|easy|everyday|common|clear|familiar|ordinary)(?:,? and |, | ))+"
    r"(?:words?|language|english|terms|wording|vocabulary)"
    r"(?: (?:that )?(?:everybody|everyone|anybody|anyone|children|laypeople|beginners|a child|a beginner)"
    r" (?:knows?|understands?|can understand))?",
    r"(?:(?:plain|formal|informal|friendly|polite|kind|warm|calm|respectful|professional|neutral|casual|serious"
    r"|encouraging|empathetic|cheerful|courteous)(?:,? and |, | |$))+"
    r"(?:tone|style|manner|voice|register|language|way)?",
    r"(?:no|without|avoids?|never uses?) (?:any )?(?:jargon|slang|technical terms|foreign words|swear words"
    r"|abbreviations|buzzwords)",
    r"(?:(?:einfach|klar|kurz|schlicht|verstandlich)(?:e[mnr]?)?(?:,? und |, | ))+(?:worten?|worter[n]?|sprache)",
    r"(?:(?:freundlich|hoflich|formlich|formell|sachlich|locker|respektvoll|herzlich)(?:e[mnr]?)?(?:,? und |, | |$))+"
    r"(?:ton|tonfall|stil)?",
    r"ohne (?:fachbegriffe|fachjargon|fachworter|fremdworter|jargon)",
    r"(?:mots|termes|langage|langue) (?:simples?|clairs?|courants?)|ton (?:amical|poli|formel|neutre|chaleureux)"
    r"|sans (?:jargon|termes techniques)",
    r"(?:palabras|lenguaje|terminos) (?:sencill[oa]s?|simples?|clar[oa]s?)"
    r"|tono (?:amable|amistoso|formal|cortes|neutral)|sin (?:jerga|tecnicismos)",
    r"(?:parole|linguaggio|termini) (?:semplic[ei]|chiar[oei])|tono (?:cordiale|amichevole|formale|cortese|neutro)"
    r"|senza (?:gergo|tecnicismi)",
    r"(?:eenvoudige|gewone|duidelijke|simpele) (?:woorden|taal)|(?:vriendelijke|beleefde|formele|informele) toon"
    r"|zonder (?:jargon|vaktermen)",
    r"(?:palavras|linguagem|termos) (?:simples|claras?|claros)|tom (?:amigavel|formal|cordial|educado)|sem jargao",
)
_MANNER = re.compile(_LEAD + "(?:" + "|".join(_MANNERS) + ")")
_ONE_WORD = re.compile(_LEAD + r"\w+")


def is_of_words(wish: str) -> bool:
    """Whether a wish is about nothing but the words of the answer. In doubt it is not."""
    if imposed(wish) or kinds_of(wish) - {Demand.TONE}:
        return False
    plain = folded(wish).strip(" .!。！")
    return bool(_MANNER.fullmatch(plain) or (_ONE_WORD.fullmatch(plain) and languages_named(wish)))
