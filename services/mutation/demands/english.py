"""How English demands a form of answer.

Wider in doubt than narrow: a demand that is not seen is answered by a discourse, one that is seen in vain costs a line.
"""

from services.mutation.demands.kinds import Demand
from services.mutation.demands.words import Words

_NUMBER = (
    r"(?:[1-9]|[1-9]\d|1\d\d|2\d\d|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty"
    r"|thirty"
    r"|fifty|hundred|a few|a couple of|a single|a|an|single)"
)
_SMALL = r"(?:\d|1\d|20|one|two|three|four|five|six|seven|eight|nine|ten|a few|a couple of|the names? of)"
_UNITS = r"(?:words?|sentences?|lines?|tokens?|syllables?|bullets?|bullet points?|paragraphs?)"
_UNIT = r"(?:word|sentence|line|character|letter|syllable|paragraph|bullet)"
_GIVE = (
    r"(?:answer|reply|respond|output|return|give|write|print|say|state|provide|send|show|tell|produce|generate"
    r"|speak|talk)"
)
_MAKE = (
    r"(?:write|compose|create|make|give|suggest|propose|construct|craft|come up with|think of|generate|provide|need)"
)
_WHAT = (
    r"(?:answer|translation|title|headline|number|digits?|name|word|letter|label|class|category|json|code|result"
    r"|list|text"
    r"|value|sentence|output|response|date|year|sql|query|regex|command|key|option|choice|item|field|line|summary"
    r"|corrected|translated|final|numeric|two|three|following)s?"
)
_NOTHING = (
    r"(?:explanations?|explaining|commentary|comments?|introduction|intro|preamble|prose|markdown|reasoning"
    r"|elaborat\w+"
    r"|(?:other|extra|further|additional) (?:text|words|comments?|information|output|content|remarks?"
    r"|characters?|punctuation)"
    r"|description|details?|chatter|small talk|units|apolog\w+|justif\w+)"
)

_PATTERNS: dict[Demand, str] = {
    Demand.TRANSLATION: (
        r"\btranslat(?:e|es|ed|ing|or|ors)\b|\btranslation (?:engine|only|of th)|\binterpreter between\b"
    ),
    Demand.LABEL: (
        r"\bclassif(?:y|ies|ier|ying)\b|\bcategori[sz](?:e|es|er|ing)\b|\blabel (?:the|this|each|it|with|as|only)\b"
        r"|\b(?:yes|true|agree|correct|positive|spam)(?:,| or |/| and )(?: ?or )?(?:no|false|disagree|incorrect"
        r"|negative"
        r"|ham|not spam)\b|\bpositive, (?:negative|neutral)|\bone of (?:the following|these|those|:)|\byes[ /]no\b"
        r"|\b(?:which|what|best|the) (?:category|class|label|intent|department|queue) (?:fits|does|is|best|applies)"
        r"|\b(?:the|its|determine|detect|identify) sentiment (?:of|as|is)\b|\bsentiment:|\bchoose (?:one|between"
        r"|from)\b"
        r"|\bpick (?:one|from|the (?:best|right|correct) (?:option|label|answer))\b|\broutes? (?:the|this|each"
        r"|it|to)\b"
        r"|\bon a scale (?:of|from)\b|\b(?:rate|score) (?:this|the|each|it|my|these)\b|\b(?:t or f|t/f|y/n|y or n)\b"
        r"|\b(?:detect|identify|determine|recogni[sz]e) (?:the |its )?(?:language|intent|emotion|topic|author)\b"
        r"|\bchoose:|\bassign (?:it|them|each|a|one)\b[^.\n]{0,40}\b(?:label|categor|class|topic|tag)"
    ),
    Demand.FIELDS: (
        r"\bextract (?:the|all|every|each|any|only|following|names?"
        r"|dates?|from)"
        r"|\bextract\b[^.!?\n]{0,80}\b(?:text|sentence|passage|message|format)|\bnamed entit|\bpull out\b"
        r"|\b(?:list|find|identify) (?:all|every|each) (?:the |of the )?(?:\w+ )?(?:names|dates|e-?mails"
        r"|entities|numbers)"
    ),
    Demand.EDIT: (
        r"\b(?:proofread|paraphrase|rephrase|reword|rewrite|redact|spell-?check|reformat|capitali[sz]e)\b"
        r"|\b(?:correct|fix|edit|improve|polish|shorten|simplify)\b[^.!?\n]{0,30}\b(?:grammar|spelling|typos?"
        r"|punctuation"
        r"|sentences?|paragraph|text|passage|wording|e-?mail|message|errors)\b"
        r"|\b(?:make|turn|change|put) (?:this|these|it|the following)\b[^.!?\n]{0,40}\b(?:sentence|text|into"
        r"|passive|plural"
        r"|tense|question|shorter|formal|polite)\b"
        r"|\bconvert\b[^.!?\n]{0,80}\b(?:to|into)\b"
    ),
    Demand.SUMMARY: (
        r"\bsummar(?:y|ies|i[sz]e|i[sz]es|i[sz]ing)\b|\btl;?dr\b|\bsum (?:up|it up)\b|\bcondense\b|\bthe gist\b"
    ),
    Demand.COMPLETION: (
        r"\bfill in the (?:blank|gap|missing)|\bcomplete (?:the|this) (?:sentence|phrase|pattern|sequence)"
    ),
    Demand.ONLY: (
        rf"\b{_GIVE}\b[^.!?\n]{{0,40}}\b(?:only|just|nothing but|solely|exclusively)\b"
        rf"|\b(?:only|nothing but|solely|just) (?:the |a |one |your |with |in )?{_WHAT}\b"
        rf"|\bonly(?:,? please)?(?= *(?:[.!?;:)\]\n]|$))|\bjust (?:the|a|one) {_WHAT}\b"
        rf"|\b(?:no|without|omit|skip|avoid|leave out)(?: \w+){{0,3}} {_NOTHING}\b"
        r"|\b(?:do not|don't|never)(?: \w+){0,2} (?:explain|elaborate|justify|comment|apologi[sz]e|anything)\b"
        rf"|\b(?:do not|don't|never) (?:add|include|write|say|give|use|output|provide)(?: \w+){{0,3}} {_NOTHING}\b"
        r"|\b(?:give|tell|show|return|say)(?: me)? (?:the|a|one) (?:number|digit|letter|year|name|date"
        r"|word)(?= *(?:[.!\n]|$))"
        r"|\brepeat (?:after|the following|this|exactly)\b|\b(?:reply|respond|say|answer|output|print|write) [\"'“«]"
        r"|\b(?:say|write|print|output|return|repeat) exactly\b(?! (?:\d|one|two|three|four|five)\b)"
        r"|\bjust (?:give|tell|say|answer|show|return|write|output)\b|\b(?:give|provide"
        r"|state) your (?:final )?answer (?:as|in)\b"
        r"|\bnothing (?:else|more|other)\b|\bno (?:more|less)[,.]|\brefrain from\b|\bfocus solely\b|\band stop\b"
        r"|(?:^|[.!?:;,\n] *|please |always |only |must |should |to |and |you |don't |not )(?:answer|reply"
        r"|respond)(?: \w+)"
        r"{0,2} (?:with|using|by)\b(?! care| an? (?:explanation|example|reason)| example| explanation"
        r"| confidence| detail)"
    ),
    Demand.FORMAT: (
        r"\b(?:in|as|valid|raw|pure|return|output|produce|respond|format|using|to|into|of|a|an)(?: an?| valid| the)?"
        r" (?:json|csv|tsv|ya?ml|xml|toml|latex|markdown)\b(?! (?:file|files|parser|library|data)\b)"
        r"|\b(?:json|csv|xml|ya?ml) (?:only|object|array|string|dictionary|format|schema|list|output|with|response)\b"
        r"|\b(?:as|in) an? (?:\w+ )?(?:table|bulleted list|numbered list|bullet list|list|outline|dictionary|array)\b"
        r"|\b(?:make|draw|give|produce|show|put)\b[^.!?\n]{0,20}\btable\b|\b(?:markdown|html) table\b"
        r"|\btabular\b|\bbullet(?:ed)?(?:[ -]points?| list)\b|\bone per line\b"
        r"|\bper line\b"
        r"|\bon (?:a|its own|one|separate|the same|a new) (?:\w+ )?lines?\b|\bline[ -]by[ -]line\b|\bevery line\b"
        r"|\bcomma[ -]separated\b|\bseparated by\b|\b(?:following|this|exact|same|given|below|required) (?:output )?"
        r"(?:format|template|structure|schema|layout)\b|\bin the (?:format|form) of\b|\bformat:|\bthese (?:two "
        r"|three )?lines"
        r"|\b(?:all caps|uppercase|lowercase|upper case|lower case|capital letters)\b"
        r"|\b(?:start|begin|end) (?:every|each|your|the) (?:sentence|line|answer|reply|response|word)"
    ),
    Demand.COUNT: (
        rf"\b(?:in|within|under|below|to|than|most|up to|exactly|only|just|about|around|roughly|approximately"
        rf"|maximum|max"
        rf"|maximum of|limit of|use|with|using|or) {_NUMBER}[ -](?:\w+ ){{0,2}}?{_UNITS}\b"
        rf"|\b(?:one|single|two|three|four|five|ten|\d{{1,2}}|1\d\d|2\d\d)[ -]{_UNIT}\b"
        rf"|\b{_NUMBER} {_UNITS} (?:or (?:less|fewer)|max|maximum|at most|at the most|only|tops|each|per)\b"
        rf"|\b(?:write|compose|give|form|make|say|draft|craft|generate)(?: me| us)? {_NUMBER} (?:\w+ ){{0,3}}?"
        r"(?:sentences?|lines?|words?|bullet points?)\b|\b(?:word|character) (?:limit|count)\b"
        r"|\b\d{2,3} (?:characters|letters)\b|\b(?:\d|three|four|five|six|seven|eight)[ -]letters?\b"
    ),
    Demand.BRIEF: (
        r"(?<!with )(?<!with a )\b(?:brief|briefly|concise|concisely|succinct|succinctly|tersely|terse|laconic"
        r"|pithy|one-liner|minimal)\b"
        r"|\bin (?:short|brief|a nutshell)\b|\bto the point\b|\b(?:as|very|too|keep \w+|keep your \w+|be|and|but"
        r"|,) short\b"
        r"|\bshort(?:er)? (?:answer|repl|response|explanation|summary|description|paragraph|sentence|text|poem"
        r"|e-?mail|letter"
        r"|message|note|list|version|overview|introduction|speech|bio|definition|comment|review|report|essay|post)"
        r"|\bshort(?:,? please)?(?= *(?:[.!;:)\n]|$))|\bkeep (?:it|this|that|your \w+) (?:\w+ )?(?:simple|small"
        r"|tight|crisp)"
        r"|\bquick (?:answer|reply|summary)\b|\bfew words\b|\bnot too long\b|\bramble\b|\blengthy\b"
    ),
    Demand.TITLE: (
        rf"\b{_MAKE}\b[^.!?\n]{{0,60}}\b(?:titles?|headlines?|slogans?|taglines?|subject lines?|captions?"
        rf"|mottos?|tweets?"
        r"|hashtags?|passwords?|usernames?|names? for|acronyms?|synonyms?|antonyms?|one-liners?)\b"
        r"|\b(?:plural|opposite|antonym|synonym|past tense|singular|abbreviation) of\b"
        r"|\b(?:title|headline|slogan|subject line|name|synonym|antonym|caption) for\b|\bwrites? (?:\w+ )?headlines\b"
    ),
    Demand.VERSE: (
        rf"\b(?:{_MAKE}|as|into|like|style of|recite)\b[^.!?\n]{{0,60}}\b(?:poems?|haikus?|limericks?|sonnets?"
        rf"|couplets?|rhymes?"
        r"|verses?|lyrics|song|acrostic|ballad|ode|rap|telegram)\b"
    ),
    Demand.LIST: (
        rf"(?:^|[.!?:;,\n] *|\band )(?:please |can you |could you )?(?:list|name|enumerate|give(?: me| us)?"
        rf"|suggest|recommend|propose"
        rf"|tell me|provide|find|mention|state)\b (?:exactly |me |any |at least |up to )?{_SMALL}\b"
        r"|(?:^|[.!?:;,\n] *|\band )(?:please )?(?:list|enumerate) (?:the|all|your|some|every)\b|\b(?:make"
        r"|give me|give us|write|create|need|want)(?: me)? a (?:\w+ )?list of\b"
        r"|(?:^|[.!?:\n] *)(?:please )?name (?:a|an)\b"
    ),
    Demand.PARAGRAPH: r"\b(?:a|an|one|opening|first|single) (?:\w+ ){0,2}paragraph\b",
    Demand.TONE: (
        r"\b(?:formal|informal|casual|friendly|professional|neutral|objective|sarcastic|humorous|polite|serious"
        r"|playful|dry"
        r"|cold|warm|academic|scientific|matter-of-fact)\b[^.!?\n]{0,20}\b(?:tone|style|manner|voice|register"
        r"|language|way)"
        r"|\b(?:tone|style) (?:of|should|must|:)|\bin the style of\b|\bformally\b|\bimpersonal"
    ),
}

ENGLISH = Words(
    _PATTERNS,
    task=(
        r"\b(?:classif|categori[sz]|label|extract|translat|sentiment|moderat|detect|normali[sz]|convert"
        r"|transform|reformat"
        r"|proofread|rewrite|rephrase|summari[sz]|autocomplet)\w*|\b(?:route|routes|router|routing|parse|parses|parser"
        r"|intents?|tags?|schema|json|outputs?|scores?|rate|rating|rank|judge|decides?|choose|select"
        r"|headlines?)\b|\b(?:respond|reply"
        r"|answer)s? with\b"
        r"|\bcorrects? (?:the|user|every|grammar)|\bfor each (?:text|message|ticket|input)|\bgiven an? (?:text"
        r"|message|input)"
    ),
    always=(
        r"\b(?:from now on|always|every (?:answer|reply|response|question|time)|each (?:answer|reply|response)"
        r"|all (?:your|the following|further|future)|throughout|for the rest|in the following|whenever|until i"
        r"|never|remember)\b"
    ),
    follows=r"(?:and|now|what about|how about|next|same|again|another|also|or|then|one more|do it)\b",
    opens=(
        r"\b(?:explain|describe|discuss|why|how|compare|elaborate|details?|detailed|reasons?|because|analy[sz]e"
        r"|say|ideas"
        r"|with (?:brief|short|an?) )\b"
    ),
)
