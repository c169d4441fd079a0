"""How German demands a form of answer; without umlauts, as `folded` leaves it."""

from services.mutation.demands.kinds import Demand
from services.mutation.demands.words import Words

_NUMBER = r"(?:[1-9]|[1-9]\d|[12]\d\d|ein(?:em|er|en|e)?|zwei|drei|vier|funf|sechs|sieben|acht|neun|zehn|zwolf|zwanzig)"
_UNITS = (
    r"(?:wort|worter|worten|wortern|satz|satze|satzen|zeilen?|zeichen|buchstaben|stichpunkten?|absatz|absatze"
    r"|absatzen)"
)

GERMAN = Words(
    {
        Demand.TRANSLATION: r"\bubersetz\w*|\binterpretier\w* ins\b",
        Demand.LABEL: (
            r"\bklassifizier\w*|\bkategorisier\w*|\beinordnen\b|\bordne\w*\b|\b(?:ja|wahr|richtig)(?: oder "
            r"|/)(?:nein|falsch)"
            r"|\bpositiv\w*,? (?:oder |negativ|neutral)|\bstimmung\b|\bwelche (?:kategorie|klasse|abteilung)"
            r"|\betikett\w*"
        ),
        Demand.FIELDS: r"\bextrahier\w*|\bentnimm\b|\bzieh\w*\b[^.!?\n]{0,60}\bheraus\b|\bliste alle\b|\bfinde alle\b",
        Demand.EDIT: (
            r"\bkorrigier\w*|\bverbesser\w*|\bformulier\w*|\bumformulier\w*|\blektorier\w*"
            r"|\bschreib\w*\b[^.!?\n]{0,40}\bum\b"
            r"|\bkurze\b[^.!?\n]{0,40}\bauf\b|\bwandle\b|\bwandeln\b"
        ),
        Demand.SUMMARY: r"\bzusammenfass\w*|\bfass\w*\b[^.!?\n]{0,80}\bzusammen\b|\bzusammengefasst\b",
        Demand.COMPLETION: r"\bvervollstandig\w*|\berganz\w*|\bluckentext",
        Demand.ONLY: (
            r"\b(?:nur|lediglich|ausschliesslich|bloss|einzig)\b|\bsonst nichts\b|\bnichts (?:weiter|anderes"
            r"|sonst|ausser)\b"
            r"|\b(?:ohne|keine?) (?:\w+ )?(?:erklarung|erlauterung|kommentar|einleitung|begrundung|zusatz|text"
            r"|worte|vorrede)"
            r"|\b(?:antworte|antworten sie|gib|geben sie)\b[^.!?\n]{0,30}\b(?:mit|als|genau)\b|\bnicht (?:erklar"
            r"|kommentier)"
        ),
        Demand.FORMAT: (
            r"\b(?:json|csv|xml|yaml|markdown)\b|\b(?:als|in) (?:\w+ )?(?:tabelle|liste|aufzahlung"
            r"|stichpunkten?)\b|\bformat\b"
            r"|\bstichpunkt|\baufzahlung|\bje zeile\b|\bpro zeile\b|\bkommagetrennt|\bdurch kommas?\b"
            r"|\bgrossbuchstaben\b"
        ),
        Demand.COUNT: (
            rf"\b(?:in|mit|auf|hochstens|maximal|max|genau|unter|als|zu|etwa|ungefahr"
            rf"|rund) {_NUMBER} (?:\w+ ){{0,2}}{_UNITS}\b"
            rf"|\b{_NUMBER} {_UNITS}\b|\b(?:ein|zwei|drei)satz|\bwortzahl\b"
        ),
        Demand.BRIEF: (
            r"\b(?:kurz|kurze[mnrs]?|kurzer|knapp\w*|pragnant\w*|bundig\w*|kurzfassung|stichwort\w*|wortkarg)\b"
        ),
        Demand.TITLE: (
            r"\b(?:titel|uberschrift|schlagzeile|betreff\w*|slogan|motto|bildunterschrift|namen? fur|synonyme?)\b"
        ),
        Demand.VERSE: r"\b(?:gedichte?|haiku|limerick|sonett|reim\w*|vers\w*|lied|liedtext)\b",
        Demand.LIST: (
            rf"\b(?:nenn\w*|list\w*|zahl\w*|gib\w*|schlag\w*)\b(?: \w+){{0,2}} (?:{_NUMBER}|einige|ein paar)\b"
        ),
        Demand.TONE: r"\b(?:tonfall|stil|ton)\b|\b(?:formell|formlich|sachlich|hoflich|forsch|locker|duzen?|siezen?)\b",
    },
    task=(
        r"\b(?:klassif|kategor|extrah|ubersetz|korrig|zusammen|bewerte|ausgabe|gib\b[^.\n]{0,40}\baus"
        r"|antworte mit|json)\w*"
    ),
    always=(
        r"\b(?:ab jetzt|ab sofort|von nun an|immer|stets|jede[rsn]?|alle\w* (?:folgenden|weiteren)|kunftig|nie"
        r"|niemals)\b"
    ),
    follows=r"(?:und|nun|jetzt|noch|auch|oder|dann|dasselbe|weiter|was ist mit)\b",
    opens=r"\b(?:erklar\w*|erlauter\w*|beschreib\w*|warum|wieso|wie|vergleich\w*|begrund\w*|ausfuhrlich|sag\w*)\b",
)
