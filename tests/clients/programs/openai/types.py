"""Every body and chunk has the types that the client declares, strictly: a list of models, an answer, a stream."""

import os

from openai import OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.model import Model

# The client itself takes any JSON: only strict validation finds a number that is a string, or a null that may not be.
client, model = OpenAI(), os.environ["MODEL"]
asked = [{"role": "user", "content": "Say hello."}]
chat = client.chat.completions.with_raw_response
ChatCompletion.model_validate_json(chat.create(model=model, messages=asked, max_tokens=16).text, strict=True)
for entry in client.models.list().data:
    Model.model_validate_json(entry.model_dump_json(exclude_unset=True), strict=True)
options = {"include_usage": True}
chunks = 0
with client.chat.completions.with_streaming_response.create(
    model=model, messages=asked, max_tokens=16, stream=True, stream_options=options
) as response:
    for line in response.iter_lines():
        if line.startswith("data: ") and line != "data: [DONE]":
            ChatCompletionChunk.model_validate_json(line.removeprefix("data: "), strict=True)
            chunks += 1
assert chunks > 2
