"""How French demands a form of answer; without accents, as `folded` leaves it."""

from services.mutation.demands.kinds import Demand
from services.mutation.demands.words import Words

_NUMBER = r"(?:[1-9]|[1-9]\d|[12]\d\d|une?|deux|trois|quatre|cinq|six|sept|huit|neuf|dix|douze|quinze|vingt)"
_UNITS = r"(?:mots?|phrases?|lignes?|caracteres?|lettres?|points?|paragraphes?|puces?)"

FRENCH = Words(
    {
        Demand.TRANSLATION: r"\btradui\w*|\btraduction\w*|\btraducteur\b|\btraductrice\b",
        Demand.LABEL: (
            r"\bclasse[rzs]?\b|\bclassifi\w*|\bcategoris\w*|\betiquet\w*|\b(?:oui|vrai)(?: ou |/)(?:non|faux)\b"
            r"|\bsentiment\b"
            r"|\bpositif,? (?:ou |negatif|neutre)|\bquelle (?:categorie|classe)\b|\bchoisi\w* (?:entre|parmi|l')"
        ),
        Demand.FIELDS: r"\bextrai\w*|\breleve[rz]?\b|\btrouve\w* tou(?:s|tes)\b|\bliste[rz]? tou(?:s|tes)\b",
        Demand.EDIT: r"\bcorrige[rz]?\b|\breformule[rz]?\b|\breecri\w*|\bparaphras\w*|\bconverti\w*|\bameliore[rz]?\b",
        Demand.SUMMARY: r"\bresume[rzs]?\b|\bsynthe(?:se|tis\w*)\b|\bcondense[rz]?\b",
        Demand.COMPLETION: r"\bcomplete[rz]?\b|\btexte a trous\b",
        Demand.ONLY: (
            r"\b(?:seulement|uniquement|seule?s?|exclusivement|simplement|juste)\b|\brien (?:d'autre|de plus)\b"
            r"|\bsans (?:\w+ )?"
            r"(?:explication|commentaire|introduction|justification|autre|texte|preambule|rien|aucune?|phrase)"
            r"|\bn'(?:explique|ajoute|ecris|inclus)\w*|\bne (?:\w+ )?que\b|\brepond\w* (?:\w+ ){0,2}(?:par"
            r"|avec)\b|\baucune? \w+"
        ),
        Demand.FORMAT: (
            r"\b(?:json|csv|xml|yaml|markdown)\b|\b(?:en|sous forme de|dans un) (?:\w+ )?(?:tableau|liste"
            r"|puces)\b|\bformat\b"
            r"|\bun\w* par ligne\b|\bpar ligne\b|\bsepare\w* par\b|\bmajuscules?\b|\bpuces\b"
        ),
        Demand.COUNT: (
            rf"\b{_NUMBER} (?:seule? |courtes? |simples? )?{_UNITS}\b|\b(?:maximum|moins de|plus de"
            rf"|pas plus) {_NUMBER}\b"
        ),
        Demand.BRIEF: (
            r"\b(?:bref|breve|brevement|court|courte|courts|courtes|concis\w*|succinct\w*|en bref|en resume"
            r"|lapidaire)\b"
            r"|\bquelques mots\b|\bsans detour"
        ),
        Demand.TITLE: r"\b(?:titres?|slogans?|gros titre|objet d|legende|devise|nom pour|noms pour|synonymes?)\b",
        Demand.VERSE: r"\b(?:poemes?|haiku|limerick|sonnet|rimes?|vers|chanson|paroles)\b",
        Demand.LIST: (
            rf"\b(?:cite[rz]?|nomme[rz]?|liste[rz]?|donne[rz]?|enumere[rz]?|propose[rz]?|indique[rz]?)\b"
            rf"(?:[- ]\w+){{0,2}} (?:{_NUMBER}|quelques)\b"
        ),
        Demand.TONE: r"\b(?:ton|style|registre)\b|\b(?:formel\w*|soutenu|familier|neutre|poli\w*|vouvo\w*|tutoi\w*)\b",
    },
    task=(
        r"\b(?:class|categor|etiquet|extra[iy]|tradui|corrige|resume|convert|reformul|renvoi|sortie"
        r"|repond\w* par|json)\w*"
    ),
    always=r"\b(?:desormais|a partir de maintenant|toujours|chaque|toutes? (?:les|tes|vos)|dorenavant|jamais)\b",
    follows=r"(?:et|maintenant|puis|aussi|ensuite|ou|alors|pareil|encore)\b",
    opens=r"\b(?:expliqu\w*|decri\w*|pourquoi|comment|compare\w*|detail\w*|raisons?|analys\w*|dis|dites)\b",
)
