"""Two agents, the second of whom goes on from what the first one said, in the shape of a class at the end."""

import os

from crewai import LLM, Agent, Crew, Process, Task
from pydantic import BaseModel


class Report(BaseModel):
    title: str
    body: str


model = LLM(model=f"openai/{os.environ['MODEL']}", base_url=os.environ["OPENAI_BASE_URL"], max_tokens=400)
first = Agent(role="researcher", goal="Find facts.", backstory="You know the sea.", llm=model)
second = Agent(role="writer", goal="Write a report.", backstory="You write well.", llm=model)
facts = Task(description="Facts about the sea.", expected_output="A list.", agent=first)
report = Task(description="Write it.", expected_output="A report.", agent=second, output_pydantic=Report)
result = Crew(agents=[first, second], tasks=[facts, report], process=Process.sequential).kickoff()
assert len(result.tasks_output) == 2
assert isinstance(result.pydantic, Report)
