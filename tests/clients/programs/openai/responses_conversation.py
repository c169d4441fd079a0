"""The responses API over two turns: by the id of the answer before, and by its items."""

import os

from openai import OpenAI

client, model = OpenAI(), os.environ["MODEL"]
first = client.responses.create(model=model, input="Name a colour.", max_output_tokens=16)
second = client.responses.create(
    model=model, input="And another one?", previous_response_id=first.id, max_output_tokens=16
)
assert second.previous_response_id == first.id
items = [{"role": "user", "content": "Name a colour."}, *first.output, {"role": "user", "content": "Another one?"}]
assert client.responses.create(model=model, input=items, max_output_tokens=16, store=False).output_text
assert client.responses.retrieve(first.id).output_text == first.output_text
