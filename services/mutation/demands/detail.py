"""How requests ask for detail, or for a text that takes its room, in all languages together: over `folded` text.

What is found in vain costs the lines that shorten, and nothing else.
"""

import re

DETAIL = re.compile(
    r"\b(?:details?|detailed|in[ -]depth|thorough\w*|comprehensive\w*|elaborate|at length|extensive\w*"
    r"|essays?|articles?|blog(?:s| posts?)?|story|stories|tales?|novels?|speech|reports?|scripts?|chapters?"
    r"|dialogues?|paragraphs|paragraphes|absatze|parrafos|paragrafi|paragrafos|alineas"
    r"|ausfuhrlich\w*|detaillier\w*|eingehend|aufsatz|artikel|geschichte|bericht|rede"
    r"|en detail|detaille\w*|approfondi\w*|dissertation|histoire|recit|discours"
    r"|detalles?|detallad\w*|a fondo|ensayo|articulo|historia|cuento|relato|discurso"
    r"|dettagli\w*|saggio|articolo|racconto|discorso"
    r"|detalh\w*|aprofundad\w*|redacao|artigo|conto"
    r"|uitgebreid|gedetailleerd\w*|opstel|verhaal|toespraak"
    r"|szczegołow\w*|esej|artykuł\w*|opowiadani\w*|wypracowani\w*"
    r"|подробн\w*|детальн\w*|эссе|рассказ|статью|сочинени\w*"
    r"|ayrıntılı|detaylı|kapsamlı|makale|hikaye)\b"
    r"|\b\d{3,}[ -]words?\b|\b(?:\d+|two|three|four|five|several) pages\b"
    r"|详细|详尽|深入|文章|故事|作文|演讲|詳細|詳しく|物語|エッセイ|자세히|상세|에세이|이야기를"
)
