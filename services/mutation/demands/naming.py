"""How a request names the language that an answer shall be in. Pure."""

import re

_ENGLISH = {
    "en": "english",
    "de": "german",
    "fr": "french",
    "es": "spanish|castilian",
    "it": "italian",
    "pt": "portuguese",
    "nl": "dutch",
    "zh": "chinese|mandarin|cantonese",
    "ja": "japanese",
    "ko": "korean",
    "pl": "polish",
    "ru": "russian",
    "tr": "turkish",
    "other": "arabic|hindi|swedish|danish|norwegian|finnish|greek|hebrew|latin"
    "|czech|ukrainian"
    "|hungarian|romanian|vietnamese|thai|indonesian|persian|bengali|urdu|swahili|catalan|esperanto",
}
_GERMAN = {
    "en": "englisch",
    "de": "deutsch",
    "fr": "franzosisch",
    "es": "spanisch",
    "it": "italienisch",
    "pt": "portugiesisch",
    "nl": "niederlandisch",
    "zh": "chinesisch",
    "ja": "japanisch",
    "other": "russisch|arabisch|turkisch|polnisch|koreanisch|griechisch|schwedisch|danisch|latein",
}
_ROMANCE = {
    "en": r"anglais|ingles[e]?|engels",
    "de": r"allemand|aleman|tedesco|alemao|duits",
    "fr": r"francais|frances[e]?|frans",
    "es": r"espagnol|espanol|spagnolo|espanhol|castellano|spaans",
    "it": r"italien|italiano|italiaans",
    "pt": r"portugais|portugues|portoghese|portugees",
    "nl": r"neerlandais|neerlandes|olandese|holandes|nederlands",
    "zh": r"chinois|chino|cinese|chines|chinees",
    "ja": r"japonais|japones|giapponese|japans",
    "other": r"russe|ruso|russo|arabe|arabo|coreen|coreano|turc|turco|polonais|polaco|polacco|russisch",
}
_EASTERN = {
    "en": r"英文|英语|英語",
    "de": r"德文|德语|德語|ドイツ語",
    "fr": r"法文|法语|法語|フランス語",
    "es": r"西班牙文|西班牙语|西班牙語|スペイン語",
    "zh": r"中文|汉语|漢語|普通话|国语|國語|中国語",
    "ja": r"日文|日语|日語|日本語",
    "other": r"韩语|韓語|俄语|俄語|韓国語|ロシア語|アラビア語|阿拉伯语",
}
_POLISH = {
    "en": "angielsku",
    "de": "niemiecku",
    "fr": "francusku",
    "es": "hiszpansku",
    "it": "włosku",
    "pl": "polsku",
    "ru": "rosyjsku",
    "other": "ukrainsku|czesku|portugalsku|chinsku|japonsku|łacinie",
}
_RUSSIAN = {
    "en": "англииск",
    "de": "немецк",
    "fr": "французск",
    "es": "испанск",
    "it": "итальянск",
    "pl": "польск",
    "ru": "русск",
    "zh": "китаиск",
    "ja": "японск",
    "ko": "кореиск",
    "other": "украинск|турецк|арабск|португальск",
}
_TURKISH = {
    "en": "ingilizce",
    "de": "almanca",
    "fr": "fransızca",
    "es": "ispanyolca",
    "it": "italyanca",
    "ru": "rusca",
    "tr": "turkce",
    "other": "arapca|farsca|kurtce|cince|japonca|korece",
}
_KOREAN = {
    "en": "영어",
    "de": "독일어",
    "fr": "프랑스어|불어",
    "es": "스페인어",
    "zh": "중국어",
    "ja": "일본어",
    "ko": "한국어|우리말",
    "ru": "러시아어",
    "other": "아랍어|베트남어|태국어",
}
# After its name something else may be meant: "in French cuisine", "in German history".
_ENDS = r"(?=\s*(?:[.,;:!)\"'\n]|$|please|only|and|or|but|with|about|to|for|using|that|how|why|what|if|no matter))"
_SHAPES = (
    (
        _ENGLISH,
        rf"\b(?:in|into|using|speak|speaks|use) (?:plain |simple |good |proper )?({{names}}){_ENDS}(?![^.!:\n]*\?)",
    ),
    (_GERMAN, r"\b(?:auf|in|ins) (?:gutem |einfachem )?({names})\b|\bin ({names})er sprache\b"),
    (_ROMANCE, r"\b(?:en|in|em|in het|no|nel) (?:buen |bon )?({names})\b"),
    (_POLISH, r"\b(?:po|w|jezyku) ({names})\b"),
    (_RUSSIAN, r"\b(?:на|по)[ -]({names})(?:ом|и)\b"),
    (_TURKISH, r"\b({names}) (?:olarak|yanıtla|cevapla|yaz|soyle|anlat|acıkla)\w*"),
    (_KOREAN, r"({names})로"),
    (_EASTERN, r"(?:用|以|使用)({names})|({names})(?:で|回答|答え|作答)"),
)
_FINDERS = [
    (code, re.compile(shape.replace("{names}", names)))
    for languages, shape in _SHAPES
    for code, names in languages.items()
]


def named(text: str) -> frozenset[str]:
    """The languages that a folded text demands the answer in, as codes; "other" for one that has no list here."""
    return frozenset(code for code, finder in _FINDERS if finder.search(text))
