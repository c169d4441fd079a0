"""its_hub's particle filtering.

Its steps are so many tokens. It takes a response for ended where a text occurs in it, and no server writes one for a
model's end: so that is put behind a step that the model has ended. A particle's weight is the guide's reward, as the
logit of the probability that it asks for.
"""

import asyncio
import math
import warnings

import wire
from its_hub import AbstractProcessRewardModel, OpenAICompatibleLanguageModel, StepGeneration
from its_hub.core.algorithms.particle_gibbs import ParticleFiltering

OPTIONS = wire.options()
END = "<|ended|>"


class Guide(AbstractProcessRewardModel):
    def score(self, prompt_or_messages, steps):
        return [1 / (1 + math.exp(-reward)) for reward in wire.guide(list(steps), partial=True)]

    async def ascore(self, prompt_or_messages, steps):
        return self.score(prompt_or_messages, steps)


class Model(OpenAICompatibleLanguageModel):
    async def agenerate(self, *arguments, **options):
        found = await super().agenerate(*arguments, **options)
        for message in found:
            if message["_raw_choice"]["finish_reason"] == "stop":
                message["content"] = (message["content"] or "") + END
        return found


async def infer(prompt: str) -> str:
    steps = StepGeneration(
        # One more step is taken than this says.
        max_steps=OPTIONS.steps - 1,
        tokens_per_step=OPTIONS.max_tokens // OPTIONS.steps,
        stop_token=END,
        temperature=OPTIONS.temperature,
        include_stop_str_in_output=True,
    )
    async with Model(OPTIONS.server, "none", OPTIONS.model, include_raw_choices=True) as model:
        found = await ParticleFiltering(steps, Guide()).ainfer(model, prompt, OPTIONS.n)
    return found["content"] or ""


warnings.simplefilter("ignore", DeprecationWarning)
wire.serve(lambda prompt: asyncio.run(infer(prompt)))
