"""How Dutch demands a form of answer."""

from services.mutation.demands.kinds import Demand
from services.mutation.demands.words import Words

_NUMBER = r"(?:[1-9]|[1-9]\d|[12]\d\d|een|twee|drie|vier|vijf|zes|zeven|acht|negen|tien|twaalf|vijftien|twintig)"
_UNITS = r"(?:woord(?:en)?|zin(?:nen)?|regels?|tekens|letters?|punten|alinea's?|alinea)"

DUTCH = Words(
    {
        Demand.TRANSLATION: r"\bvertaa?l\w*",
        Demand.LABEL: (
            r"\bclassificeer\w*|\bcategoriseer\w*|\blabel\b|\b(?:ja|waar)(?: of |/)(?:nee|onwaar|niet waar)\b"
            r"|\bsentiment\b"
            r"|\bpositief,? (?:of |negatief|neutraal)|\bwelke categorie\b|\bkies\b"
        ),
        Demand.FIELDS: r"\bextraheer\w*|\bhaal\b[^.!?\n]{0,60}\b(?:uit|eruit)\b|\bzoek alle\b|\bnoem alle\b",
        Demand.EDIT: (
            r"\bcorrigeer\w*|\bverbeter\w*|\bherschrijf\w*|\bherformuleer\w*|\bparafraseer\w*"
            r"|\bzet\b[^.!?\n]{0,40}\bom\b"
        ),
        Demand.SUMMARY: r"\bsamenvat\w*|\bvat\b[^.!?\n]{0,80}\bsamen\b|\bsamengevat\b",
        Demand.COMPLETION: r"\bvul\b[^.!?\n]{0,40}\b(?:in|aan)\b|\bmaak de zin af\b",
        Demand.ONLY: (
            r"\b(?:alleen|enkel|slechts|uitsluitend|gewoon)\b|\bniets (?:anders|meer)\b|\b(?:zonder"
            r"|geen) (?:\w+ )?(?:uitleg"
            r"|toelichting|commentaar|inleiding|verklaring|extra|tekst|andere)|\bantwoord\w* (?:\w+ ){0,2}met\b"
            r"|\bleg niet\b"
        ),
        Demand.FORMAT: (
            r"\b(?:json|csv|xml|yaml|markdown)\b|\b(?:als|in)(?: een)? (?:\w+ )?(?:tabel|lijst|opsomming)\b"
            r"|\bformaat\b|\bformat\b"
            r"|\bper regel\b|\bgescheiden door\b|\bhoofdletters\b|\bopsomming"
        ),
        Demand.COUNT: (
            rf"\b{_NUMBER} (?:korte |enkele )?{_UNITS}\b|\b(?:maximaal|hooguit|minder dan|meer dan"
            rf"|precies) {_NUMBER}\b"
        ),
        Demand.BRIEF: r"\b(?:kort|korte|kortom|beknopt\w*|bondig\w*|in het kort|weinig woorden)\b",
        Demand.TITLE: (
            r"\b(?:titels?|kop|koppen|slogan|motto|onderwerpregel|onderschrift|na(?:am|men) voor|synoniem(?:en)?)\b"
        ),
        Demand.VERSE: r"\b(?:gedicht(?:en)?|haiku|limerick|sonnet|rijm\w*|vers|liedje|lied)\b",
        Demand.LIST: rf"\b(?:noem|geef|som|lijst|bedenk)\b(?: \w+)? (?:{_NUMBER}|enkele|een paar)\b",
        Demand.TONE: r"\b(?:toon|stijl)\b|\b(?:formeel|informeel|zakelijk|beleefd)\b",
    },
    task=r"\b(?:classific|categor|label|extrah|verta|corrig|samenvat|herschrijf|uitvoer|antwoord\w* met|json)\w*",
    always=r"\b(?:vanaf nu|voortaan|altijd|elke?|alle (?:volgende|vragen|antwoorden)|nooit)\b",
    follows=r"(?:en|nu|ook|dan|of|hetzelfde|nog)\b",
    opens=r"\b(?:leg\b[^.!?]*\buit|beschrijf\w*|waarom|hoe|vergelijk\w*|uitgebreid|redenen?|analyseer\w*)\b",
)
