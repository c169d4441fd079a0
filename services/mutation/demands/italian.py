"""How Italian demands a form of answer; without accents, as `folded` leaves it."""

from services.mutation.demands.kinds import Demand
from services.mutation.demands.words import Words

_NUMBER = r"(?:[1-9]|[1-9]\d|[12]\d\d|una?|uno|due|tre|quattro|cinque|sei|sette|otto|nove|dieci|dodici|quindici|venti)"
_UNITS = r"(?:parol[ae]|fras[ei]|right?[ae]|caratteri|lettere?|punti|paragraf[oi])"

ITALIAN = Words(
    {
        Demand.TRANSLATION: r"\btradu[czr]\w*",
        Demand.LABEL: (
            r"\bclassific\w*|\bcategorizz\w*|\betichett\w*|\b(?:si|vero)(?: o |/)(?:no|falso)\b|\bsentiment\w*"
            r"|\bpositiv[oa],? (?:o |negativ|neutr)|\bquale categoria\b|\bscegli\w* (?:tra|fra|una?)\b"
        ),
        Demand.FIELDS: r"\bestra\w*|\btrova tutt[ie]\b|\belenca tutt[ie]\b",
        Demand.EDIT: r"\bcorregg\w*|\briscriv\w*|\briformul\w*|\bparafras\w*|\bconvert\w*|\bmigliora\b",
        Demand.SUMMARY: r"\briassum\w*|\bsintetizz\w*|\briepilog\w*|\briassunto\b",
        Demand.COMPLETION: r"\bcompleta (?:la|il)\b|\briempi\b",
        Demand.ONLY: (
            r"\b(?:solo|soltanto|solamente|unicamente|esclusivamente|semplicemente)\b|\bnient'altro\b|\bnulla di piu\b"
            r"|\bsenza (?:\w+ )?(?:spiega|comment|introdu|giustifi|testo|altro|preambol)\w*|\bnon (?:spiegare"
            r"|aggiungere)\b"
            r"|\brispond\w* (?:\w+ ){0,2}con\b|\bnessun\w* \w+"
        ),
        Demand.FORMAT: (
            r"\b(?:json|csv|xml|yaml|markdown)\b|\b(?:in|come)(?: una?)? (?:\w+ )?(?:tabella|elenco|lista)\b"
            r"|\bformato\b"
            r"|\bper riga\b|\bseparat[ie] da\b|\bmaiuscol\w*|\belenco puntato\b"
        ),
        Demand.COUNT: rf"\b{_NUMBER} (?:sola? |brevi? |singola )?{_UNITS}\b|\b(?:massimo|meno di|piu di) {_NUMBER}\b",
        Demand.BRIEF: r"\b(?:brev\w*|cort[oaie]|concis\w*|sintetic\w*|succint\w*|in breve|poche parole|stringat\w*)\b",
        Demand.TITLE: r"\b(?:titol[oi]|slogan|motto|oggetto|didascalia|nom[ei] per|sinonim[oi])\b",
        Demand.VERSE: r"\b(?:poesi[ae]|haiku|limerick|sonetto|rim[ae]|versi|canzone)\b",
        Demand.LIST: (
            rf"\b(?:elenca|nomina|cita|dammi|dimmi|indica|suggerisci|proponi)\b(?: \w+)? (?:{_NUMBER}|alcun[ie])\b"
        ),
        Demand.TONE: r"\b(?:tono|stile|registro)\b|\b(?:formale|informale|neutro|cortese)\b",
    },
    task=(
        r"\b(?:classific|categor|etichett|estra|tradu|corregg|riassum|convert|riformul|restitu|rispond\w* con|json)\w*"
    ),
    always=r"\b(?:d'ora in poi|da ora in poi|sempre|ogni|tutt[ie] l[ei]|mai)\b",
    follows=r"(?:e|ora|adesso|anche|poi|lo stesso|allora|o)\b",
    opens=r"\b(?:spieg\w*|descriv\w*|perche|come|confront\w*|dettagli\w*|ragion\w*|analizz\w*)\b",
)
