"""How Korean demands a form of answer."""

from services.mutation.demands.kinds import Demand
from services.mutation.demands.words import Words

_NUMBER = r"(?:\d{1,3}|한|두|세|네|다섯|여섯|일곱|여덟|아홉|열|몇)"

KOREAN = Words(
    {
        Demand.TRANSLATION: r"번역|영역해|옮겨 ?(?:줘|주세요|라)|로 옮기",
        Demand.LABEL: (
            r"분류|라벨|카테고리|예 ?(?:또는|나|/|혹은) ?아니[요오]"
            r"|예,? ?아니[요오]|감정을? ?(?:분석|판단)|긍정|부정인지"
            r"|고르|골라|선택하|맞는지 틀린지|참 ?(?:또는|/) ?거짓"
        ),
        Demand.FIELDS: r"추출|뽑아|모두 찾아",
        Demand.EDIT: r"고쳐|수정|교정|바꿔|다시 ?써|다시 ?쓰|다듬|변환",
        Demand.SUMMARY: r"요약|간추려|줄여|요점",
        Demand.COMPLETION: r"빈칸|채워|완성하|완성해|이어서 ?써",
        Demand.ONLY: (
            r"만 (?:답|말|써|쓰|적|알려|출력|제시|대답|주)|만\.|(?:설명"
            r"|해설|덧붙임|다른 말|부연|군더더기) ?(?:은|는|을)?"
            r" ?(?:없이|말고|하지|빼고|생략)|오직|이외|외에는|덧붙이지"
        ),
        Demand.FORMAT: (
            r"(?i:json|csv|xml|yaml|markdown)|표로|표 ?형식|목록으로"
            r"|목록 ?형식|형식으로|형식에|글머리|한 ?줄에 하나|줄마다"
            r"|쉼표로|대문자"
        ),
        Demand.COUNT: rf"{_NUMBER} ?(?:단어|문장|줄|글자|자 이내|자로|마디|문단|단락)|이내로|이하로",
        Demand.BRIEF: r"짧게|간단히|간단하게|간략|간결|짤막|짧은",
        Demand.TITLE: r"제목|표제|슬로건|구호|이름을 ?(?:지|하나|추천)|동의어|반의어|유의어|캐치프레이즈",
        Demand.VERSE: r"(?:^|\s)시를|시 한 편|하이쿠|시조|소네트|가사를|노랫말|운율",
        Demand.LIST: (
            rf"{_NUMBER} ?(?:가지|개|곳|명|권|편|종류|도시)?(?:만|를"
            rf"|을)? ?(?:나열|열거|말해|알려|추천|제시|들어|대|꼽아|적어)"
            r"|나열|열거"
        ),
        Demand.TONE: r"말투|어조|문체|존댓말|반말|격식|공손|정중",
    },
    task=r"분류|라벨|추출|번역|요약|변환|출력|교정|판정|(?i:json)",
    always=r"앞으로|이제부터|지금부터|항상|언제나|매번|모든 (?:답|질문)|절대",
    follows=r"(?:그럼|그러면|그리고|이제|또|다음|마찬가지)",
    opens=r"설명|왜|어떻게|비교|자세히|이유|분석|서술",
)
