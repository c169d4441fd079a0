"""An agent that writes code, for one step, in a shape that the server keeps, and the answer after it."""

import os

from smolagents import CodeAgent, OpenAIModel

model = OpenAIModel(
    model_id=os.environ["MODEL"],
    api_base=os.environ["OPENAI_BASE_URL"],
    api_key=os.environ["OPENAI_API_KEY"],
    max_tokens=200,
)
agent = CodeAgent(tools=[], model=model, max_steps=1, use_structured_outputs_internally=True)
result = agent.run("How much is 2 times 3?", return_full_result=True)
assert result.state in ("success", "max_steps_error")
assert result.token_usage.output_tokens > 0
