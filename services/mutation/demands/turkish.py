"""How Turkish demands a form of answer; without accents, as `folded` leaves it (ı stays)."""

from services.mutation.demands.kinds import Demand
from services.mutation.demands.words import Words

_NUMBER = r"(?:\d{1,3}|bir|iki|uc|dort|bes|altı|yedi|sekiz|dokuz|on|yirmi|birkac)"
_UNITS = r"(?:kelime\w*|sozcuk\w*|cumle\w*|satır\w*|karakter\w*|harf\w*|madde\w*|paragraf\w*)"

TURKISH = Words(
    {
        Demand.TRANSLATION: r"\bcevir(?!mici|im ici)\w*|\bceviri\w*|\btercume\w*",
        Demand.LABEL: (
            r"\bsınıfland\w*|\bkategori\w*|\betiketle\w*|\bduygu analiz\w*|\b(?:evet|dogru)(?: veya | ya da |/| mı )"
            r"(?:hayır|yanlıs)\b|\bhangi kategori\w*|\bolumlu(?:,| mu)? (?:veya |ya da |olumsuz)|\bsec(?:in|iniz)?\b"
        ),
        Demand.FIELDS: r"\bcıkar(?:ın|ınız)?\b|\bayıkla\w*|\btum \w+ (?:bul|listele)\w*",
        Demand.EDIT: r"\bduzelt\w*|\byeniden (?:yaz|ifade)\w*|\bbaska kelimelerle\b|\bdonustur\w*|\bduzenle\w*",
        Demand.SUMMARY: r"\bozet\w*",
        Demand.COMPLETION: r"\btamamla\w*|\bbosluk\w* doldur\w*",
        Demand.ONLY: (
            r"\b(?:sadece|yalnızca|yalnız|tek basına)\b|\bbaska (?:bir sey|hicbir)\b|\b(?:acıklama|yorum|giris)\w* "
            r"(?:yapma|yapmadan|ekleme|eklemeden|olmadan|yazma)\w*|\bacıklamadan\b|\bdısında\b"
        ),
        Demand.FORMAT: (
            r"\b(?:json|csv|xml|yaml|markdown)\b|\b(?:tablo|liste"
            r"|madde) (?:halinde|olarak|seklinde|bicim\w*)|\bformat\w*"
            r"|\bmaddeler halinde\b|\bher satır\w*|\bvirgulle\b|\bbuyuk harf\w*|\bbiciminde\b"
        ),
        Demand.COUNT: rf"\b{_NUMBER} (?:\w+ )?{_UNITS}|\ben (?:fazla|cok) {_NUMBER}\b",
        Demand.BRIEF: r"\b(?:kısa\w*|kısaca|ozlu|oz bir|az sozle)\b",
        Demand.TITLE: (
            r"\b(?:baslı[kg]\w*|slogan\w*|manset\w*|konu satır\w*"
            r"|es anlamlı\w*|isim oner\w*|zıt anlamlı\w*)"
        ),
        Demand.VERSE: r"\b(?:siir\w*|haiku|sone\w*|kafiye\w*|dortlu[kg]\w*|sarkı\w*|mani\b)",
        Demand.LIST: rf"\b{_NUMBER} (?:\w+ ){{0,3}}(?:say|listele|yaz|oner|ver|sırala|belirt)(?:ın|in|iniz|ınız)?\b",
        Demand.TONE: (
            r"\b(?:tonda|tonla|uslup\w*|uslub\w*)\b|\b(?:resmi"
            r"|samimi|kibar|nazik) (?:bir )?(?:dil|ton|uslu\w*)"
        ),
    },
    task=r"\b(?:sınıfland|kategori|etiketle|cıkar|cevir|duzelt|ozetle|donustur|json|yanıt ver)\w*",
    always=r"\b(?:bundan sonra|bundan boyle|artık|her zaman|daima|her (?:soru|yanıt|cevap)\w*|asla|hep)\b",
    follows=r"(?:ve|peki|simdi|ayrıca|ya|sonra|bir de|aynısı|veya)\b",
    opens=r"\b(?:acıkla\w*|anlat\w*|neden|nicin|nasıl|karsılastır\w*|ayrıntılı\w*|gerekce\w*|nedenleri\w*)\b",
)
