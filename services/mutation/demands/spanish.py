"""How Spanish demands a form of answer; without accents, as `folded` leaves it."""

from services.mutation.demands.kinds import Demand
from services.mutation.demands.words import Words

_NUMBER = r"(?:[1-9]|[1-9]\d|[12]\d\d|una?|un|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|doce|quince|veinte)"
_UNITS = r"(?:palabras?|frases?|oracion(?:es)?|lineas?|caracteres|letras?|puntos|parrafos?|renglon(?:es)?|vinetas)"

SPANISH = Words(
    {
        Demand.TRANSLATION: r"\btradu[cz]\w*",
        Demand.LABEL: (
            r"\bclasific\w*|\bcategori[cz]\w*|\betiquet\w*|\b(?:si|verdadero)(?: o |/)(?:no|falso)\b|\bsentimiento\b"
            r"|\bpositiv[oa],? (?:o |negativ|neutr)|\bque categoria\b|\beli[gj]\w* (?:entre|una?)\b|\bescoge\b"
        ),
        Demand.FIELDS: r"\bextrae\w*|\bextraiga\w*|\bextraer\b|\bencuentra tod[oa]s\b|\benumera tod[oa]s\b",
        Demand.EDIT: (
            r"\bcorri[gj]\w*|\breescrib\w*|\breformul\w*|\bparafrase\w*|\bconvierte\w*|\bconvierta\b|\bmejora\b"
        ),
        Demand.SUMMARY: r"\bresum\w*|\bsinteti[cz]\w*|\bcondensa\w*",
        Demand.COMPLETION: r"\bcompleta la\b|\bcompleta el\b|\brellena\w*",
        Demand.ONLY: (
            r"\b(?:solo|solamente|unicamente|exclusivamente|nada mas|simplemente)\b|\bsin (?:\w+ )?(?:explica"
            r"|comentar|introduc"
            r"|justifica|texto|nada|ningun|preambulo|detalles|mas)\w*|\bno (?:expliques?|anadas?|agregues?"
            r"|incluyas?|escribas?)\b"
            r"|\brespond\w* (?:\w+ ){0,2}con\b|\bcontest\w* (?:\w+ ){0,2}con\b|\bningun\w* \w+"
        ),
        Demand.FORMAT: (
            r"\b(?:json|csv|xml|yaml|markdown)\b|\b(?:en|como)(?: una?)? (?:\w+ )?(?:tabla|lista|vinetas)\b"
            r"|\bformato\b"
            r"|\bpor linea\b|\bseparad[oa]s? por\b|\bmayusculas\b|\bvinetas\b"
        ),
        Demand.COUNT: (
            rf"\b{_NUMBER} (?:sola? |breves? |cortas? |unica )?{_UNITS}\b|\b(?:maximo|menos de"
            rf"|mas de) (?:de )?{_NUMBER}\b"
        ),
        Demand.BRIEF: r"\b(?:brev\w*|cort[oa]s?|concis\w*|sucint\w*|escuet\w*|en resumen|pocas palabras|al grano)\b",
        Demand.TITLE: r"\b(?:titulos?|titulares?|eslogan\w*|lema|asunto|leyenda|nombres? para|sinonimos?)\b",
        Demand.VERSE: r"\b(?:poemas?|haikus?|limerick|sonetos?|rimas?|versos?|cancion|letra de)\b",
        Demand.LIST: (
            rf"\b(?:nombra|enumera|lista|da|dame|di|dime|menciona|sugiere|propon|cita)\w*\b(?: \w+)?"
            rf" (?:{_NUMBER}|algun[oa]s|unos|unas)\b"
        ),
        Demand.TONE: r"\b(?:tono|estilo|registro)\b|\b(?:formal|informal|coloquial|neutral|cortes|tuteo|tutea\w*)\b",
    },
    task=(
        r"\b(?:clasific|categori|etiquet|extra[ei]|traduc|corrig|resum|convierte|reformul|devuelve|salida"
        r"|responde con|json)\w*"
    ),
    always=r"\b(?:a partir de ahora|desde ahora|siempre|cada|tod[oa]s (?:l[oa]s|tus|sus)|en adelante|nunca)\b",
    follows=r"(?:y|ahora|tambien|luego|otra|otro|lo mismo|entonces|o)\b",
    opens=r"\b(?:expli[cq]\w*|describ\w*|por que|como|compar\w*|detall\w*|razon\w*|analiz\w*|porque)\b",
)
