"""Two calls with a seed and without any chance say the same."""

import os

from openai import OpenAI

client, asked = OpenAI(), [{"role": "user", "content": "Name a colour."}]
texts = {
    client.chat.completions.create(model=os.environ["MODEL"], messages=asked, max_tokens=16, temperature=0, seed=7)
    .choices[0]
    .message.content
    for _ in range(2)
}
assert len(texts) == 1
