"""An answer that is JSON."""

import json
import os

from openai import OpenAI

answer = OpenAI().chat.completions.create(
    model=os.environ["MODEL"],
    messages=[{"role": "user", "content": "Reply with JSON: a city and its country."}],
    max_tokens=200,
    response_format={"type": "json_object"},
)
json.loads(answer.choices[0].message.content)
