"""The model by itself: an answer in the shape of a class, several turns, and a stream."""

import os

from crewai import LLM
from pydantic import BaseModel


class City(BaseModel):
    name: str
    country: str


model = LLM(model=f"openai/{os.environ['MODEL']}", base_url=os.environ["OPENAI_BASE_URL"], max_tokens=400)
shaped = model.call("Name a city and its country.", response_model=City)
City.model_validate(shaped if isinstance(shaped, City) else City.model_validate_json(shaped))
turns = [("system", "Be brief."), ("user", "Hello."), ("assistant", "Hello!"), ("user", "Name a colour.")]
assert model.call([{"role": role, "content": text} for role, text in turns])
model.stream = True
assert model.call("Describe the sea.")
