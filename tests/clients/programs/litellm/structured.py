"""An answer in the shape of a class, whose schema the client sends, and JSON of any form."""

import json
import os

import litellm
from pydantic import BaseModel


class Event(BaseModel):
    name: str
    participants: list[str]


model, asked = (
    f"openai/{os.environ['MODEL']}",
    [{"role": "user", "content": "Ann and Bob go to a fair. Reply in JSON."}],
)
answer = litellm.completion(model=model, messages=asked, response_format=Event, max_tokens=400)
Event.model_validate_json(answer.choices[0].message.content)
answer = litellm.completion(model=model, messages=asked, response_format={"type": "json_object"}, max_tokens=400)
assert isinstance(json.loads(answer.choices[0].message.content), dict)
