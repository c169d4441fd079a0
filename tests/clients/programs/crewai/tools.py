"""An agent with a tool that it may call."""

import os

from crewai import LLM, Agent, Crew, Task
from crewai.tools import tool


@tool("weather")
def weather(city: str) -> str:
    """The weather in a city."""
    return f"It is sunny in {city}."


model = LLM(model=f"openai/{os.environ['MODEL']}", base_url=os.environ["OPENAI_BASE_URL"], max_tokens=400)
helper = Agent(role="helper", goal="Answer briefly.", backstory="Brief.", llm=model, tools=[weather], max_iter=3)
task = Task(description="What is the weather in Paris?", expected_output="The weather.", agent=helper)
result = Crew(agents=[helper], tasks=[task]).kickoff()
assert result.raw
assert result.token_usage.completion_tokens > 0
