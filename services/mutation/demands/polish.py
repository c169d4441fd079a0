"""How Polish demands a form of answer; without accents, as `folded` leaves it (ł stays)."""

from services.mutation.demands.kinds import Demand
from services.mutation.demands.words import Words

_NUMBER = (
    r"(?:\d{1,3}|jedn(?:o|a|ym|ej|ego|en)|dwa|dwie|dwoch|trzy|trzech|cztery|czterech|piec|pieciu|szesc|siedem|osiem"
    r"|dziewiec|dziesiec|dziesieciu|kilka|kilku)"
)
_UNITS = r"(?:słow\w*|wyraz\w*|zdani\w*|linij\w*|lini\w*|znak\w*|liter\w*|punkt\w*|akapit\w*)"

POLISH = Words(
    {
        Demand.TRANSLATION: r"\b(?:prze)?tłumacz\w*|\btłumaczeni\w*",
        Demand.LABEL: (
            r"\bklasyfik\w*|\bsklasyfik\w*|\bkategori\w*|\bprzyporzadk\w*|\betykiet\w*|\bwybierz\b|\bsentyment\w*"
            r"|\b(?:tak|prawda)(?: lub | czy | albo |/)(?:nie|fałsz)\b"
            r"|\bpozytywn\w*,? (?:lub |czy |negatywn|neutraln)"
        ),
        Demand.FIELDS: r"\bwyodrebn\w*|\bwyciagn\w*|\bwypisz (?:wszystk\w*|z)\b|\bznajdz wszystk\w*",
        Demand.EDIT: r"\bpopraw\w*|\bprzeredag\w*|\bzredag\w*|\bprzeform\w*|\bsparafraz\w*|\bprzepisz\b|\bzamien\b",
        Demand.SUMMARY: r"\bstresc\w*|\bstreszcz\w*|\bpodsumuj\w*|\bpodsumowani\w*",
        Demand.COMPLETION: r"\buzupełni\w*|\bdokoncz\w*",
        Demand.ONLY: (
            r"\b(?:tylko|jedynie|wyłacznie|samo|sama|sam)\b|\bnic (?:wiecej|poza|innego)\b|\bbez (?:\w+ )?(?:wyjasni"
            r"|komentarz|wstep|uzasadni|dodatk|zadn|słow)\w*|\bnie (?:wyjasniaj|dodawaj|komentuj|tłumacz|pisz)\b"
        ),
        Demand.FORMAT: (
            r"\b(?:json|csv|xml|yaml|markdown)\b|\b(?:w|jako) (?:\w+ )?(?:tabel\w*|list[ayeę]\b|punkt\w*)|\bformat\w*"
            r"|\bw (?:osobn\w+ )?(?:linii|wierszu)\b|\bprzecink\w*|\bwielkimi literami\b|\bwypunkt\w*"
        ),
        Demand.COUNT: rf"\b{_NUMBER} (?:\w+ )?{_UNITS}\b|\b(?:maksymalnie|najwyzej|do) {_NUMBER} {_UNITS}",
        Demand.BRIEF: r"\b(?:krotk\w*|zwiezł\w*|lakoniczn\w*|pokrotce|w skrocie|skrotowo)\b",
        Demand.TITLE: (
            r"\b(?:tytuł\w*|nagłow\w*|slogan\w*|hasł\w*"
            r"|temat wiadomosci|nazw[eay] dla|synonim\w*|podpis)\b"
        ),
        Demand.VERSE: r"\b(?:wiersz\w*|haiku|limeryk\w*|sonet\w*|rymowank\w*|rym\w*|piosenk\w*)\b",
        Demand.LIST: rf"\b(?:wymien\w*|podaj|wypisz|wylicz|zaproponuj|nazwij)\b(?: \w+){{0,2}} {_NUMBER}\b",
        Demand.TONE: r"\b(?:ton|tonem|styl\w*)\b|\b(?:formaln\w*|nieformaln\w*|oficjaln\w*|uprzejm\w*)\b",
    },
    task=r"\b(?:klasyfik|kategor|wyodrebn|tłumacz|przetłumacz|popraw|streszcz|stresc|zwracaj|odpowiadaj|json)\w*",
    always=r"\b(?:od teraz|od tej pory|zawsze|za kazdym razem|kazd\w+|wszystki\w+|nigdy)\b",
    follows=r"(?:i|a|teraz|jeszcze|tez|albo|potem|dalej|to samo|rowniez)\b",
    opens=r"\b(?:wyjasni\w*|opisz\w*|dlaczego|jak|porownaj\w*|uzasadni\w*|szczegoł\w*|powod\w*|omow\w*)\b",
)
