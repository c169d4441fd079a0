"""The lines that are put behind requests, by the request's language. Data.

There are lines only for languages that we can write well. The English ones were chosen by what they earn
(`python -m bench.templates`); those of the other languages say the same, and are not measured.
"""

from services.mutation.demands import Aspect

_L, _P, _R, _S, _T = Aspect.LENGTH, Aspect.PROSE, Aspect.REASONS, Aspect.STEPS, Aspect.TONE

# Each entry is (name, line, what the line asks of the answer beside what the request asks).
OPEN: dict[str, tuple[tuple[str, str, tuple[Aspect, ...]], ...]] = {
    "en": (
        ("think_why", "Let's think about what matters here, step by step, and explain why.", (_L, _R, _S)),
        ("ask_short_then_detail", "Give a short answer first, and then explain it in detail.", (_L, _R)),
        ("explore", "Let's explore this together, and look at why it matters.", (_L, _R, _T)),
        ("ask_paragraphs", "Answer in well-formed paragraphs.", (_L, _P)),
        ("think_carefully", "Let's think about this carefully and in depth, one aspect after another.", (_L, _S)),
        ("ask_connections", "In your answer, show how the parts are connected and what they mean.", (_R,)),
        ("ask_steps", "Please think it through step by step.", (_S,)),
        ("ask_reasons", "Please give the reasons behind your answer.", (_R,)),
        ("ask_long", "Write a long and informative answer.", (_L,)),
        ("ask_depth", "Discuss it in depth, and say why each part matters.", (_L, _R)),
        (
            "ask_develop",
            "Write several paragraphs that develop your answer with reasons, context and detail.",
            (_L, _P, _R),
        ),
        (
            "ask_full",
            "Give a full explanation in well-formed paragraphs, with the reasons for what you say.",
            (_L, _P, _R),
        ),
        ("ask_insight", "Offer real insight in well-formed paragraphs.", (_L, _P)),
        ("work_through", "Let's work through this step by step.", (_S,)),
        ("ask_context", "Please give enough background for a newcomer to understand.", (_L,)),
    ),
    "de": (
        (
            "think_why",
            "Überlegen wir Schritt für Schritt, worauf es hier ankommt, und erklären wir, warum.",
            (_L, _R, _S),
        ),
        ("ask_short_then_detail", "Gib zuerst eine kurze Antwort und erkläre sie dann ausführlich.", (_L, _R)),
        ("ask_paragraphs", "Antworte in gut ausgearbeiteten Absätzen.", (_L, _P)),
        ("ask_connections", "Zeige in der Antwort, wie die Teile zusammenhängen und was sie bedeuten.", (_R,)),
        ("ask_reasons", "Nenne bitte auch die Gründe für deine Antwort.", (_R,)),
        ("ask_depth", "Gehe in die Tiefe und sage, warum jeder Teil wichtig ist.", (_L, _R)),
        ("work_through", "Gehen wir das Schritt für Schritt durch.", (_S,)),
        ("ask_context", "Gib so viel Hintergrund, dass auch ein Neuling es versteht.", (_L,)),
    ),
    "fr": (
        ("think_why", "Réfléchissons étape par étape à ce qui compte ici, et expliquons pourquoi.", (_L, _R, _S)),
        ("ask_short_then_detail", "Donne d'abord une réponse courte, puis explique-la en détail.", (_L, _R)),
        ("ask_paragraphs", "Réponds en paragraphes bien construits.", (_L, _P)),
        ("ask_connections", "Montre dans ta réponse comment les éléments sont liés et ce qu'ils signifient.", (_R,)),
        ("ask_reasons", "Donne aussi les raisons de ta réponse.", (_R,)),
        ("ask_depth", "Approfondis le sujet et dis pourquoi chaque partie est importante.", (_L, _R)),
        ("work_through", "Examinons cela étape par étape.", (_S,)),
        ("ask_context", "Donne assez de contexte pour qu'un débutant comprenne.", (_L,)),
    ),
    "es": (
        ("think_why", "Pensemos paso a paso en lo que importa aquí y expliquemos por qué.", (_L, _R, _S)),
        ("ask_short_then_detail", "Da primero una respuesta breve y después explícala en detalle.", (_L, _R)),
        ("ask_paragraphs", "Responde en párrafos bien construidos.", (_L, _P)),
        ("ask_connections", "Muestra en tu respuesta cómo se relacionan las partes y qué significan.", (_R,)),
        ("ask_reasons", "Da también las razones de tu respuesta.", (_R,)),
        ("ask_depth", "Trata el tema en profundidad y di por qué importa cada parte.", (_L, _R)),
        ("work_through", "Analicemos esto paso a paso.", (_S,)),
        ("ask_context", "Da suficiente contexto para que lo entienda un principiante.", (_L,)),
    ),
    "zh": (
        ("think_why", "让我们一步一步地思考这里什么最重要，并解释原因。", (_L, _R, _S)),
        ("ask_short_then_detail", "请先给出简短的回答，然后详细解释。", (_L, _R)),
        ("ask_paragraphs", "请用结构完整的段落回答。", (_L, _P)),
        ("ask_connections", "请在回答中说明各部分之间的联系及其含义。", (_R,)),
        ("ask_reasons", "请说明你的回答背后的理由。", (_R,)),
        ("ask_depth", "请深入讨论，并说明每一部分为什么重要。", (_L, _R)),
        ("work_through", "让我们一步一步地分析。", (_S,)),
        ("ask_context", "请提供足够的背景，让初学者也能理解。", (_L,)),
    ),
}

# Lines that go with any form: they ask for nothing but what the request itself asks for. The English ones make answers
# hold their form more often than none does: `python -m bench.format_lines`.
NEUTRAL: dict[str, tuple[tuple[str, str], ...]] = {
    "en": (
        ("as_asked", "Answer exactly as asked, and add nothing."),
        ("check_first", "Check your answer before you give it; give only what is asked for."),
        ("nothing_else", "Write the answer and nothing else."),
        ("keep_form", "Keep to the form that was asked for."),
    ),
    "de": (
        ("as_asked", "Antworte genau so, wie es verlangt ist, und füge nichts hinzu."),
        ("check_first", "Prüfe deine Antwort, bevor du sie gibst; gib nur, was verlangt ist."),
        ("nothing_else", "Schreibe die Antwort und sonst nichts."),
        ("keep_form", "Halte dich an die verlangte Form."),
    ),
    "fr": (
        ("as_asked", "Réponds exactement comme demandé, sans rien ajouter."),
        ("check_first", "Vérifie ta réponse avant de la donner ; donne seulement ce qui est demandé."),
        ("nothing_else", "Écris la réponse et rien d'autre."),
        ("keep_form", "Respecte la forme demandée."),
    ),
    "es": (
        ("as_asked", "Responde exactamente como se pide, sin añadir nada."),
        ("check_first", "Revisa tu respuesta antes de darla; da solo lo que se pide."),
        ("nothing_else", "Escribe la respuesta y nada más."),
        ("keep_form", "Respeta la forma que se pide."),
    ),
    "zh": (
        ("as_asked", "请完全按要求回答，不要添加任何内容。"),
        ("check_first", "回答之前请先检查；只给出所要求的内容。"),
        ("nothing_else", "请只写出答案，不要写别的。"),
        ("keep_form", "请遵守所要求的形式。"),
    ),
}
