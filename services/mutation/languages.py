"""Which language a text is written in, by its script and its commonest words. Pure.

A few words decide: a request is often one short sentence, for which statistics over letters are no use. Where no list
decides, the language is None, and no line is written in a language that was only guessed.
"""

import re
import unicodedata

from services.mutation.word_lists import IMPERATIVES, QUESTIONS, STOPWORDS
from shared.text.folding import folded

# At least this part of a text's words must be among the commonest of its language.
LEAST_SHARE = 0.15
# At most this part of an English text's words may hold letters that English does not have.
MOST_FOREIGN = 0.2
# In a text of no more words than these, one such word is enough.
_FEW_WORDS = 4
_LONGEST = 6_000
_FENCED = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_WORD = re.compile(r"[^\W\d_]{2,}(?:'[^\W\d_]+)?")
_KANA = re.compile(r"[\u3040-\u30ff]")
_HAN = re.compile(r"[\u3400-\u9fff]")
_INVERTED = re.compile("[¿¡]")

_ENGLISH = """
    hello hi hey thanks thank yes good best new old big small more better first last next time day year people world
    word words sentence text name number color colour why because only just between versus vs meaning capital three
    two four five ten tips ideas story poem letter email code function python translate french german spanish
    """
# Lists by language. "other" holds words of further languages, so that those are not taken for one of the rest.
_COMMON = {
    "de": """
        in der die das und ist ich du er sie wir ihr nicht ein eine einen einem einer zu den dem des mit auf fur von
        im am wie was wer wo wann warum wieso welche welcher welches kann konnen soll sollte mir mich dir bitte auch
        als oder bei nach uber aus hat haben sind wird werden man nur noch so aber wenn dass zum zur mein meine dein
        erklare schreibe schreib nenne gib antworte beschreibe ubersetze hallo danke gibt geht kurz satz wort zahl
        """,
    "fr": """
        le la les un une des du de et est je tu il elle nous vous ils ne pas que qui quoi ou dans sur pour par avec au
        aux ce cette ces mon ma mes ton ta son sa ses comment pourquoi quel quelle quels quelles quand combien peux
        peut sont fait faire plus explique expliquez ecris ecrivez donne donnez reponds repondez traduis decris
        bonjour merci est-ce moi se si mais comme en mot phrase seulement
        """,
    "es": """
        el la los las un una unos de del y es yo tu ella no que quien como donde cuando cuanto cuantos por para con en
        al se su sus mi mis me te lo le este esta estos estas son ser hay hacer puedo puede cual cuales pero mas muy
        explica explique escribe escriba dame responde responda traduce describe hola gracias solo palabra frase
        """,
    "it": """
        in il lo la gli le un uno una di del della dei delle e che chi non per con su in al alla sono come cosa dove
        quando quanto quanti perche quale quali mi ti si ci mio mia tuo puo posso fare piu ma anche spiega scrivi
        dammi rispondi traduci descrivi ciao grazie solo parola frase nel nella questo questa
        """,
    "pt": """
        o os as um uma uns de do da dos das e que quem nao com para por em no na nos nas ao como onde quando quanto
        quantos qual quais porque eu ele ela voce meu minha seu sua se me sao ser fazer posso pode mais mas tambem
        explique escreva responda traduza descreva ola obrigado apenas palavra frase isto este esta
        """,
    "nl": """
        in de het een en is ik jij je hij zij wij we niet van in op aan met voor naar om te dat die dit deze wat wie
        waar wanneer waarom hoe welke kan kun kunnen moet zou mij mijn jouw ook als maar of bij uit heeft hebben zijn
        wordt worden nog leg schrijf geef noem antwoord vertaal beschrijf hallo dank alleen woord zin alsjeblieft
        """,
    "other": """
        och att det som en ett jag har inte hur vad varfor kan ar pa til hvad hvordan hvorfor jeg ikke er og af med
        den w na jak co jest nie dlaczego czy sie dla co je jak proc ve na bir ve ne nasil nicin icin mi cum ce este
        pentru si nu care yang dan apa itu adalah bagaimana mengapa untuk cara di mikä miten miksi on ja mika hogyan
        mi az egy es nem la gi lam sao nhu the nao cua va ni nini kwa ya wa jinsi gani els amb per quina quin perque
        """,
}
_WORDS = {name: frozenset(text.split()) for name, text in _COMMON.items()}
# "Comment" and "come" are more likely French and Italian.
_WORDS["en"] = (STOPWORDS | IMPERATIVES | QUESTIONS | frozenset(_ENGLISH.split())) - {"comment", "come", "me"}


def ends_of(text: str, longest: int = _LONGEST) -> str:
    """A long text's beginning and end, where people say what they want; what they want it done to stands between."""
    return text if len(text) <= 2 * longest else f"{text[:longest]}\n{text[-longest:]}"


def language_of(text: str) -> str | None:
    """The language of a text: "en", "de", "fr", "es", "it", "pt", "nl", "zh", "ja", or None where it is not clear."""
    plain = _FENCED.sub(" ", unicodedata.normalize("NFC", ends_of(text)).replace("’", "'"))
    words = [folded(word) for word in _WORD.findall(plain) if not _HAN.search(word) and not _KANA.search(word)]
    han, kana = len(_HAN.findall(plain)), len(_KANA.findall(plain))
    if (han + kana) / 2 > len(words):
        return "ja" if kana * 10 > han else "zh"
    hits = {name: sum(word in common for word in words) for name, common in _WORDS.items()}
    hits["es"] += 2 * bool(_INVERTED.search(plain))
    best, second = sorted(hits, key=lambda name: -hits[name])[:2]
    least = 1 if len(words) <= _FEW_WORDS else 2
    if hits[best] < max(least, LEAST_SHARE * len(words)) or hits[best] == hits[second] or best == "other":
        return None
    foreign = sum(not word.isascii() for word in _WORD.findall(plain))
    return None if best == "en" and foreign > MOST_FOREIGN * len(words) else best
