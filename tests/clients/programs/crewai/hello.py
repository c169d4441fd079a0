"""The client's first example: an agent with a task in a crew."""

import os

from crewai import LLM, Agent, Crew, Task

model = LLM(model=f"openai/{os.environ['MODEL']}", base_url=os.environ["OPENAI_BASE_URL"], max_tokens=32)
helper = Agent(role="helper", goal="Answer briefly.", backstory="You are brief.", llm=model)
task = Task(description="Say hello.", expected_output="A greeting.", agent=helper)
assert Crew(agents=[helper], tasks=[task]).kickoff().raw
