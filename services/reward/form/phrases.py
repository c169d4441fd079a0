"""Phrases by which nine languages demand a form strictly, spelled as `folded` leaves them.

In doubt a phrase is left out: a demand that is seen in vain costs a right answer its reward. All phrases are tried on
every text, since few of them mean anything in another language.
"""

import re


def _any(*languages: str) -> str:
    """A pattern for any of the phrases, which " / " separates; "~" at the end of a phrase lets its last word go on."""
    found = [phrase for phrases in languages for phrase in phrases.split(" / ")]
    return "(?:" + "|".join(_word(phrase) for phrase in found) + ")"


def _word(phrase: str) -> str:
    """A pattern for whole words, in scripts that put spaces between them."""
    if not phrase.isascii():
        return phrase
    return rf"\b{phrase[:-1]}" if phrase.endswith("~") else rf"\b{phrase}\b"


ONLY = re.compile(
    _any(
        "only / nothing (?:but|else|more) / just (?:the|a|one) / (?:single|one) word",
        "(?:no|without)(?: any)? (?:other|extra|explan|comment|descri|introduc|preamble)~",
        "nur / ausschliesslich / nichts (?:anderes|ausser|weiter) / sonst nichts / ohne (?:erklar|kommentar)~",
        "uniquement / seulement / rien d'autre / rien que / sans (?:explication|commentaire)~",
        "solo / solamente / unicamente / nada mas / sin (?:explica|comentari)~",
        "soltanto / nient'altro / senza (?:spiega|comment)~",
        "somente / apenas / nada mais / sem (?:explica|coment)~",
        "alleen / enkel / uitsluitend / niets anders / zonder (?:uitleg|commentaar|toelichting)",
        "只 / 仅 / 不要(?:解释|其他) / だけ / のみ",
    )
)
TRANSLATE = re.compile(
    _any(
        "translat~ / ubersetz~ / tradui~ / traduc~ / traduz~ / verta(?:al|len)~",
        "翻译 / 翻譯 / 翻訳 / 訳し / 译成 / 译为",
    )
)
ABOUT_TRANSLATION = re.compile(
    _any(
        "translation (?:is|of|would|for) / translat(?:es|ed) (?:to|as|into) / here(?:'s| is) the",
        "ubersetzung (?:lautet|von|ist) / traduction (?:est|de) / traduccion (?:es|de) / traduzione (?:e|di)",
        "traducao (?:e|de) / vertaling (?:is|van)",
    )
)
YES_NO = (
    (re.compile(r"\byes\b(?:,? or |/)no\b"), ("yes", "no")),
    (re.compile(r"\bja\b(?: oder | of |/)(?:nein|nee)\b"), ("ja", "nein", "nee")),
    (re.compile(r"\boui\b(?: ou |/)non\b"), ("oui", "non")),
    (re.compile(r"\bsi\b(?: o |/)no\b"), ("si", "no")),
    (re.compile(r"\bsim\b(?: ou |/)nao\b"), ("sim", "nao")),
    (re.compile(r"是(?:或|/|还是)(?:否|不是)"), ("是", "否", "不是")),
    (re.compile(r"はい(?:か|または|/)いいえ"), ("はい", "いいえ")),
)
LABEL = re.compile(
    _any(
        "classif~ / categor~ / sentiment / positive(?:,| or) \\w+ / spam / intent / labels?",
        "which (?:department|queue|team|category|label|class)",
        "kategor~ / klassifi~ / stimmung / positiv(?:,| oder) \\w+ / etiquet~ / etichett~ / 分类 / 分類",
    )
)
_TITLE = (
    "title|headline|subject line|slogan|titel|uberschrift|betreff|titre|objet|titulo|asunto|titular|titolo|oggetto|kop"
    "|onderwerp|标题|標題|タイトル|件名|見出し"
)
_DIGITS = (
    "(?:numbers?|digits?|figure|zahl|zahlen|ziffern?|nombre|chiffres?|numeros?|cifras?|numeri|getal|cijfers?|数字)"
)
_THE = (
    r"(?: (?:the|a|one|den|die|das|einen|eine|le|la|el|il|un|uno|una|o|de|het|een))?(?: (?:final|single|bare|reine))?"
)
_JUST = _any(
    "only / just / nothing but / nur / uniquement / seulement / solo / solamente / soltanto / apenas / somente",
    "alleen / enkel / 只\\w*? / 仅\\w*?",
)


def _only(what: str) -> re.Pattern[str]:
    """A pattern for one thing alone; "only the title and the author" is not matched."""
    alone = r"(?!,|:| and\b| und\b| et\b| y\b| e\b| en\b|[\w ]{1,16}:)"
    behind = r"(?: only| alone| and nothing else| nur| uniquement| seulement| solamente| apenas| alleen|だけ|のみ)"
    return re.compile(rf"{_JUST}{_THE} ?(?:{what})(?!\w){alone}|(?:{what}){behind}")


TITLE, NUMBER = _only(_TITLE), _only(_DIGITS)
SEVERAL_TASKS = re.compile(
    r"\b(?:then|after that|finally|dann|danach|puis|ensuite|luego|poi|depois|daarna)\b|然后|次に"
    r"|\b(?:and|but) (?:also |please )?(?:explain|list|describe|tell|say|justify|why|how|its|their|his|her|\d|two|three"
    r"|four|five|give(?! me (?:nothing|only|just)| only| just))\b"
    r"|\b(?:und|et|y|e|en) (?:erklar|begrund|nenne|warum|explique|donne|pourquoi|explica|por que|spiega|perche|leg\b"
    r"|waarom)"
)
"""The answer has parts, and a demand may be on one of them."""

JSON = re.compile(
    r"(?:^|[.!?:\n] *)(?:please )?(?:you )?(?:must |should )?(?:always |only )?"
    r"(?:(?:reply|answer|respond|return|output)s?|antworte|gib|reponds|responde|rispondi|antwoord)\b[^.!?\n]{0,16}\bjson\b"
)
ANY_JSON = re.compile(r"\bjson\b")
QUESTION = re.compile(
    r"(?:^|(?<=[.!?\n]))\s*(?:how|why|what|which|when|where|who|can|could|do|does|is|are|should|wie|warum|was|welche\w*"
    r"|comment|pourquoi|como|por que|come|perche|hoe|waarom)\b[^.!?\n]*\?"
)
"""A question may speak of "only one field of the JSON", and demands no form by it."""

PROGRAM = re.compile(
    r"```|\b(?:code|coding|function|program|script|python|javascript|typescript|java|rust|golang|sql|regex|html|css|api"
    r"|algorithm|class|method|query|endpoint|dataframe|excel|bash|shell|compiler|library|funktion|programm|fonction"
    r"|funcion|funzione|funcao|functie)\b|代码|函数|コード|関数"
)
"""An answer to this holds a program, and "only the numbers" may be what the program does."""

KEY = re.compile(r"(?:^|[\"'“„«\n])\s*([^\W\d][\w -]{0,23}): ?(?:\.\.\.|…)")
"""A line of its own to be filled in, such as "name: …"."""

NUMBERS = {
    word: value
    for value, words in enumerate(
        (
            "one a an single ein einen einem einer eine un une uno una um uma een 一",
            "two zwei deux dos due dois duas twee 二 两",
            "three drei trois tres tre drie 三",
            "four vier quatre cuatro quattro quatro 四",
            "five funf cinq cinco cinque vijf 五",
            "six sechs seis sei zes 六",
            "seven sieben sept siete sette sete zeven 七",
            "eight acht huit ocho otto oito 八",
            "nine neun neuf nueve nove negen 九",
            "ten zehn dix diez dieci dez tien 十",
        ),
        1,
    )
    for word in words.split()
}
_NUMBER = rf"(?P<number>\d{{1,4}}|{'|'.join(sorted(NUMBERS, key=len, reverse=True))})"
_LIMIT = _any(
    "exactly / at most / (?:no|not|never \\w+) more than / fewer than / less than / up to / in / within / under",
    "max / maximum / (?:maximum|limit) of / with",
    "genau / hochstens / maximal / nicht mehr als / weniger als / mit",
    "en / exactement / au plus / au maximum / pas plus de / moins de",
    "exactamente / como maximo / maximo / no mas de / menos de",
    "esattamente / al massimo / massimo / non piu di / meno di",
    "em / exatamente / no maximo / ate / nao mais de",
    "precies / hoogstens / maximaal / niet meer dan / minder dan / 用 / 不超过 / 最多",
)
_ABOUT = _any(
    "about / around / roughly / approximately / etwa / ungefahr / environ / unos / unas / circa / cerca de / ongeveer",
    "约",
)
_KIND = (
    r"(?:(?:single|short|simple|complete|einzigen|kurzen|seule|sola|unica|courte|breve|korte|enkele)"
    r"(?: (?:short|simple|complete|kurzen))? )?"
)
_UNITS = {
    "words": (
        r"words?|wort|worter|worten|wortern|mots?|palabras?|parole|parola|palavras?|woord|woorden|个?字|个?词|単?語"
    ),
    "sentences": r"sentences?|satz|satze|satzen|phrases?|frases?|oracion|oraciones|frasi|zin|zinnen|句话?|文",
}
COUNTED = {
    unit: re.compile(
        rf"(?:(?P<limit>{_LIMIT})|(?P<about>{_ABOUT}))? ?(?:(?:the|just|only|nur|solo|einem|einen) )?"
        r"(?!an? (?!single|short|simple))"
        rf"{_NUMBER}[ -]?{_KIND}(?:{words})"
        r"(?![a-z-])(?P<after>.{0,24})",
        re.DOTALL,
    )
    for unit, words in _UNITS.items()
}
"""A number of a unit. It bounds behind a `limit`, behind `about` roughly, and where `BOUNDED` comes `after` it."""

BOUNDED = re.compile(
    r"^ ?(?:or (?:less|fewer)|max|at most|tops|only|oder weniger|hochstens|以内|之内|以下|で(?:答|説明|述))"
)
UNBOUNDED = re.compile(r"^ ?(?:or more|minimum|oder mehr|each|per|for each|every|pro|jeweils|chac|cada|ciascun|以上)")
LEAST = re.compile(
    "(?:"
    + _any(
        "at least / minimum / min / (?<!no )(?<!not )(?<!never use )(?<!never write )more than / over / each",
        "mindestens / (?<!nicht )mehr als / jede[nmrs]?",
        "au moins / (?<!pas )plus de / chaque / al menos / (?<!no )mas de / cada",
        "almeno / (?<!non )piu di / ogni / pelo menos / (?<!nao )mais de / minstens / elke? / 至少",
    )
    + r")[^.\n]{0,40}$"
)
"""What makes a number behind it no upper bound, or one of a part of the answer only."""

_SEVERAL = "|".join(word for word, value in NUMBERS.items() if value > 1)
EACH = re.compile(_any("each / every / jede[nmrs]? / jeweils / chaque / cada / ogni / elke?"))
ITEMS = re.compile(
    r"(?:^|[.!?:\n] *|a )(?:please )?"
    + _any(
        "list / name / give(?: me)? / suggest / nenne / nenn / liste / cite / citez / donne / nombra / enumera / dame",
        "elenca / dimmi / dammi / cita / noem / geef / list of(?: exactly)?",
    )
    + rf"(?: (?:mir|exactly|genau|exactement))? (?P<number>\d{{1,3}}|{_SEVERAL}) (?!words?|sentences?)\w"
)
