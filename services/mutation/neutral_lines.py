"""The lines that go with any form: they ask for nothing but what the request itself asks for. Data.

The English ones make answers hold their form more often than none does: `python -m bench.format_lines`.
"""

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
    "it": (
        ("as_asked", "Rispondi esattamente come richiesto, senza aggiungere nulla."),
        ("check_first", "Controlla la risposta prima di darla; da' soltanto ciò che è richiesto."),
        ("nothing_else", "Scrivi la risposta e nient'altro."),
        ("keep_form", "Rispetta la forma richiesta."),
    ),
    "pt": (
        ("as_asked", "Responda exatamente como foi pedido, sem acrescentar nada."),
        ("check_first", "Verifique a resposta antes de dá-la; dê apenas o que foi pedido."),
        ("nothing_else", "Escreva a resposta e nada mais."),
        ("keep_form", "Respeite a forma pedida."),
    ),
    "nl": (
        ("as_asked", "Antwoord precies zoals gevraagd en voeg niets toe."),
        ("check_first", "Controleer je antwoord voordat je het geeft; geef alleen wat gevraagd wordt."),
        ("nothing_else", "Schrijf het antwoord en verder niets."),
        ("keep_form", "Houd je aan de gevraagde vorm."),
    ),
    "pl": (
        ("as_asked", "Odpowiedz dokładnie tak, jak jest to wymagane, i niczego nie dodawaj."),
        ("check_first", "Sprawdź odpowiedź, zanim ją podasz; podaj tylko to, o co proszono."),
        ("nothing_else", "Napisz odpowiedź i nic więcej."),
        ("keep_form", "Zachowaj wymaganą formę."),
    ),
    "ru": (
        ("as_asked", "Ответь в точности так, как требуется, и ничего не добавляй."),
        ("check_first", "Проверь ответ, прежде чем дать его; дай только то, что требуется."),
        ("nothing_else", "Напиши ответ и больше ничего."),
        ("keep_form", "Соблюдай требуемую форму."),
    ),
    "tr": (
        ("as_asked", "Tam olarak istendiği gibi yanıt ver ve hiçbir şey ekleme."),
        ("check_first", "Yanıtını vermeden önce kontrol et; yalnızca isteneni ver."),
        ("nothing_else", "Yanıtı yaz, başka bir şey yazma."),
        ("keep_form", "İstenen biçime bağlı kal."),
    ),
    "ja": (
        ("as_asked", "求められたとおりに正確に答え、何も付け加えないでください。"),
        ("check_first", "答える前に内容を確かめ、求められたものだけを示してください。"),
        ("nothing_else", "答えだけを書き、ほかには何も書かないでください。"),
        ("keep_form", "求められた形式を守ってください。"),
    ),
    "ko": (
        ("as_asked", "요청한 그대로 정확히 답하고 아무것도 덧붙이지 마세요."),
        ("check_first", "답하기 전에 확인하고, 요청한 것만 제시하세요."),
        ("nothing_else", "답만 쓰고 다른 것은 쓰지 마세요."),
        ("keep_form", "요청한 형식을 지켜 주세요."),
    ),
}
