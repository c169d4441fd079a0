"""its_hub's best-of-n."""

import asyncio

import wire
from its_hub import AbstractOutcomeRewardModel, BestOfN, OpenAICompatibleLanguageModel

OPTIONS = wire.options()


class Guide(AbstractOutcomeRewardModel):
    def score(self, messages, **_):
        return wire.guide([conversation[-1].content or "" for conversation in messages])

    async def ascore(self, messages, orchestrator=None, **_):
        return self.score(messages)


async def infer(prompt: str) -> str:
    async with OpenAICompatibleLanguageModel(
        OPTIONS.server,
        "none",
        OPTIONS.model,
        max_completion_tokens=OPTIONS.max_tokens,
        temperature=OPTIONS.temperature,
    ) as model:
        return (await BestOfN(Guide()).ainfer(model, prompt, OPTIONS.n))["content"] or ""


wire.serve(lambda prompt: asyncio.run(infer(prompt)))
