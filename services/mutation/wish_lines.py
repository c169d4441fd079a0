"""What stands around wishes, in the languages that have lines of their own. Data.

Wishes are fragments of anybody's, such as "at most two sentences" or "ends with a question": each line goes before a
list of them. Those of other languages than English were not read by native speakers.
"""

from typing import NamedTuple


class WishFrame(NamedTuple):
    """The lines of one language, each before wishes.

    `plain`, `strict`, `reminded` stand before them in one line, `listed` and `check` before a list. `most` stands
    before one of them, and `others` then before the rest.
    """

    plain: str
    strict: str
    reminded: str
    listed: str
    check: str
    most: str
    others: str


WISH_FRAMES: dict[str, WishFrame] = {
    "en": WishFrame(
        "Answer like this:",
        "Please keep strictly to these rules for your answer:",
        "Do not forget what the answer should be like:",
        "This is how your answer must be:",
        "Before you give your answer, check that it fulfils every point of this list:",
        "What matters most about the answer:",
        "And also:",
    ),
    "de": WishFrame(
        "So soll die Antwort sein:",
        "Halte dich bei der Antwort bitte genau an diese Regeln:",
        "Vergiss nicht, wie die Antwort sein soll:",
        "So muss deine Antwort sein:",
        "Prüfe vor der Antwort, ob sie jeden Punkt dieser Liste erfüllt:",
        "Das Wichtigste an der Antwort:",
        "Und außerdem:",
    ),
    "fr": WishFrame(
        "Voici comment doit être la réponse :",
        "Respecte strictement ces règles dans ta réponse :",
        "N'oublie pas comment la réponse doit être :",
        "Ta réponse doit être ainsi :",
        "Avant de répondre, vérifie que ta réponse remplit chaque point de cette liste :",
        "Le plus important dans la réponse :",
        "Et aussi :",
    ),
    "es": WishFrame(
        "Así debe ser la respuesta:",
        "Respeta estrictamente estas reglas en tu respuesta:",
        "No olvides cómo debe ser la respuesta:",
        "Tu respuesta tiene que ser así:",
        "Antes de responder, comprueba que tu respuesta cumple cada punto de esta lista:",
        "Lo más importante de la respuesta:",
        "Y además:",
    ),
    "it": WishFrame(
        "Ecco come deve essere la risposta:",
        "Nella risposta rispetta rigorosamente queste regole:",
        "Non dimenticare come deve essere la risposta:",
        "La tua risposta dev'essere così:",
        "Prima di rispondere, controlla che la risposta soddisfi ogni punto di questo elenco:",
        "La cosa più importante della risposta:",
        "E inoltre:",
    ),
    "pt": WishFrame(
        "É assim que a resposta deve ser:",
        "Siga rigorosamente estas regras na sua resposta:",
        "Não se esqueça de como a resposta deve ser:",
        "Sua resposta tem de ser assim:",
        "Antes de responder, verifique se a resposta cumpre cada ponto desta lista:",
        "O mais importante na resposta:",
        "E também:",
    ),
    "nl": WishFrame(
        "Zo moet het antwoord zijn:",
        "Houd je in je antwoord strikt aan deze regels:",
        "Vergeet niet hoe het antwoord hoort te zijn:",
        "Je antwoord moet er zo uitzien:",
        "Controleer voordat je antwoordt of je antwoord aan elk punt van deze lijst voldoet:",
        "Het belangrijkste aan het antwoord:",
        "En ook:",
    ),
    "pl": WishFrame(
        "Odpowiedź ma być taka:",
        "W odpowiedzi ściśle przestrzegaj tych zasad:",
        "Nie zapomnij, jaka powinna być odpowiedź:",
        "Twoja odpowiedź musi być taka:",
        "Zanim odpowiesz, sprawdź, czy odpowiedź spełnia każdy punkt tej listy:",
        "Najważniejsze w odpowiedzi:",
        "A także:",
    ),
    "ru": WishFrame(
        "Ответ должен быть таким:",
        "Строго соблюдай в ответе эти правила:",
        "Не забудь, каким должен быть ответ:",
        "Вот каким обязан быть твой ответ:",
        "Прежде чем ответить, проверь, что ответ выполняет каждый пункт этого списка:",
        "Самое важное в ответе:",
        "А также:",
    ),
    "tr": WishFrame(
        "Yanıt şöyle olsun:",
        "Yanıtında lütfen şu kurallara kesinlikle uy:",
        "Yanıtın nasıl olması gerektiğini unutma:",
        "Yanıtın şöyle olmak zorunda:",
        "Yanıt vermeden önce yanıtının bu listedeki her maddeyi karşıladığını denetle:",
        "Yanıtta en önemlisi:",
        "Ayrıca:",
    ),
    "zh": WishFrame(
        "请这样回答：",
        "回答时请严格遵守以下规则：",
        "不要忘记回答应该是什么样的：",
        "你的回答必须做到：",
        "回答之前，请检查回答是否符合下面清单的每一点：",
        "回答中最重要的是：",
        "另外：",
    ),
    "ja": WishFrame(
        "次のように答えてください：",
        "答えるときは、次の規則を必ず守ってください：",
        "答えがどうあるべきかを忘れないでください：",
        "あなたの答えは次のとおりでなければなりません：",
        "答える前に、答えが次の一覧の各項目を満たすか確かめてください：",
        "答えで最も大切なこと：",
        "さらに：",
    ),
    "ko": WishFrame(
        "이렇게 답해 주세요:",
        "답할 때 다음 규칙을 꼭 지켜 주세요:",
        "답이 어떠해야 하는지 잊지 마세요:",
        "당신의 답은 반드시 다음과 같아야 합니다:",
        "답하기 전에 답이 이 목록의 모든 항목을 충족하는지 확인하세요:",
        "답에서 가장 중요한 것:",
        "그리고 또:",
    ),
}
