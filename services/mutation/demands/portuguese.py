"""How Portuguese demands a form of answer; without accents, as `folded` leaves it."""

from services.mutation.demands.kinds import Demand
from services.mutation.demands.words import Words

_NUMBER = r"(?:[1-9]|[1-9]\d|[12]\d\d|uma?|dois|duas|tres|quatro|cinco|seis|sete|oito|nove|dez|doze|quinze|vinte)"
_UNITS = r"(?:palavras?|frases?|linhas?|caracteres|letras?|pontos|topicos|paragrafos?)"

PORTUGUESE = Words(
    {
        Demand.TRANSLATION: r"\btradu[zct]\w*",
        Demand.LABEL: (
            r"\bclassifi[cq]\w*|\bcategori[zc]\w*|\betiquet\w*|\brotul\w*|\b(?:sim|verdadeiro)(?: ou |/)(?:nao"
            r"|falso)\b"
            r"|\bsentimento\b|\bpositiv[oa],? (?:ou |negativ|neutr)|\bqual categoria\b|\bescolh\w* (?:entre|uma?)\b"
        ),
        Demand.FIELDS: r"\bextra[ií]\w*|\bextraia\b|\bencontre tod[oa]s\b|\bliste tod[oa]s\b",
        Demand.EDIT: r"\bcorrij\w*|\bcorrig\w*|\breescrev\w*|\breformul\w*|\bparafras\w*|\bconvert\w*|\bmelhore\b",
        Demand.SUMMARY: r"\bresum\w*|\bsinteti[zc]\w*|\bcondens\w*",
        Demand.COMPLETION: r"\bcomplete a\b|\bcomplete o\b|\bpreench\w*",
        Demand.ONLY: (
            r"\b(?:so|somente|apenas|unicamente|exclusivamente|simplesmente)\b|\bnada (?:mais|alem)\b"
            r"|\bsem (?:\w+ )?(?:explica"
            r"|comentar|introdu|justifi|texto|nada|nenhum|preambulo|mais)\w*|\bnao (?:expli\w+|acrescente"
            r"|adicione|inclua)\b"
            r"|\brespond\w* (?:\w+ ){0,2}com\b|\bnenhum\w* \w+"
        ),
        Demand.FORMAT: (
            r"\b(?:json|csv|xml|yaml|markdown)\b|\b(?:em|como)(?: uma?)? (?:\w+ )?(?:tabela|lista|topicos)\b"
            r"|\bformato\b"
            r"|\bpor linha\b|\bseparad[oa]s? por\b|\bmaiusculas\b"
        ),
        Demand.COUNT: (
            rf"\b{_NUMBER} (?:so |unica |curtas? |breves? )?{_UNITS}\b|\b(?:maximo|menos de"
            rf"|mais de) (?:de )?{_NUMBER}\b"
        ),
        Demand.BRIEF: (
            r"\b(?:brev\w*|curt[oa]s?|concis\w*|sucint\w*|em resumo|poucas palavras|direto ao ponto|resumidamente)\b"
        ),
        Demand.TITLE: r"\b(?:titulos?|manchetes?|slogan|lema|assunto|legenda|nomes? para|sinonimos?)\b",
        Demand.VERSE: r"\b(?:poemas?|haiku|limerick|sonetos?|rimas?|versos?|cancao|letra de)\b",
        Demand.LIST: (
            rf"\b(?:cite|nomeie|liste|enumere|de|diga|mencione|sugira)\b(?:[- ]\w+)? (?:{_NUMBER}|algun?s|algumas)\b"
        ),
        Demand.TONE: r"\b(?:tom|estilo|registro)\b|\b(?:formal|informal|neutro|cortes)\b",
    },
    task=(
        r"\b(?:classific|categori|etiquet|rotul|extra[ií]|traduz|corrij|resum|convert|reformul|devolva"
        r"|responda com|json)\w*"
    ),
    always=r"\b(?:a partir de agora|de agora em diante|sempre|cada|tod[oa]s [oa]s|nunca)\b",
    follows=r"(?:e|agora|tambem|depois|outra|outro|o mesmo|entao|ou)\b",
    opens=r"\b(?:expli[cq]\w*|descrev\w*|por que|porque|como|compar\w*|detalh\w*|razoes|analis\w*)\b",
)
