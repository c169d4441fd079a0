"""Every kind of refusal raises what programs catch, with the name of the field at fault."""

import os

import openai

client = openai.OpenAI(max_retries=0)
asked = [{"role": "user", "content": "Say hello."}]
caught = []
for fields in ({"temperature": 9}, {"messages": []}, {"max_tokens": "many"}, {"response_format": {"type": "song"}}):
    try:
        client.chat.completions.create(**{"model": os.environ["MODEL"], "messages": asked, **fields})
    except openai.BadRequestError as error:
        caught.append((error.param or "").split(".")[0])
assert caught == ["temperature", "messages", "max_tokens", "response_format"], caught
missing = None
try:
    client.get("/nowhere", cast_to=object)
except openai.NotFoundError as error:
    missing = error
assert missing is not None
assert missing.body
