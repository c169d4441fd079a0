"""Answers every question with every cell, several at a time, and writes each row once it is complete."""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from typing import Any

from cli.client import Client
from cli.evaluation.folder import Folder, RowKey, key_of
from cli.evaluation.plan import Cell, Plan
from cli.evaluation.questions import Question
from cli.evaluation.rows import Candidate, Row, Turn
from shared.methods import METHODS
from shared.records.evolution import Seconds, Tokens

_ATTEMPTS = 3

Document = dict[str, Any]
"""An evolution as the API shows it, with `events`."""


class EvolutionFailed(Exception):
    """An evolution ended without an answer."""


@dataclass(frozen=True)
class Task:
    """A row to be made. `attempt` counts what has failed for it before."""

    cell: Cell
    question: Question
    seed: int
    attempt: int = 0

    @property
    def key(self) -> RowKey:
        return self.cell.name, self.question.id, self.seed


@dataclass(frozen=True)
class Answered:
    """A finished task: its row, and the evolutions behind it."""

    row: Row
    documents: tuple[Document, ...]


TaskReport = Callable[[Task, Row | None], None]
"""Called with each task that ended, and its row; None where it failed for good."""


def open_tasks(plan: Plan, questions: Sequence[Question], seeds: Sequence[int], folder: Folder) -> list[Task]:
    """What the folder has no row for yet, cell by cell."""
    done = {key_of(row) for row in folder.rows()}
    failed = folder.attempts()
    tasks = [Task(cell, question, seed) for cell in plan.cells for seed in seeds for question in questions]
    return [Task(t.cell, t.question, t.seed, failed[t.key]) for t in tasks if t.key not in done]


class Evaluation:
    """Runs tasks against a gateway.

    Cells run one after another, so that a cell's seconds are those of an engine full of its own work. An evolution
    that is under way when the evaluation is killed is found again by its idempotency key, where the gateway lives on.
    """

    def __init__(self, client: Client, plan: Plan, versions: dict[str, str], run_id: str) -> None:
        self._client = client
        self._plan = plan
        self._versions = versions
        self._run_id = run_id

    def run(self, tasks: Sequence[Task], folder: Folder, in_flight: int, report: TaskReport) -> Counter[str]:
        """Works off `tasks`, `in_flight` of a cell at a time; counts "answered" and "failed" ones.

        Raises:
            ApiError: the gateway refuses a request for good, which it would do for each of its kind.
        """
        ended: Counter[str] = Counter()
        cells = {task.cell.name: task.cell for task in tasks}
        with ThreadPoolExecutor(in_flight, "question") as pool:
            try:
                for name in cells:
                    of_cell = [task for task in tasks if task.cell.name == name]
                    for task, answered in self._finished(pool, of_cell, in_flight, folder):
                        if answered is not None:
                            folder.evolutions.append(*answered.documents)
                            folder.answers.append(answered.row.model_dump(mode="json"))
                        ended["failed" if answered is None else "answered"] += 1
                        report(task, answered.row if answered else None)
            except BaseException:
                self._client.close()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return ended

    def _finished(
        self, pool: ThreadPoolExecutor, tasks: Sequence[Task], in_flight: int, folder: Folder
    ) -> Iterator[tuple[Task, Answered | None]]:
        """Tasks as they end; None after the last attempt."""
        waiting = iter(tasks)
        running: dict[Future[Answered], Task] = {pool.submit(self.answer, t): t for t in islice(waiting, in_flight)}
        while running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                task = running.pop(future)
                try:
                    answered = future.result()
                except EvolutionFailed as error:
                    cell, question, seed = task.key
                    folder.failures.append({"cell": cell, "question": question, "seed": seed, "error": str(error)})
                    again = Task(task.cell, task.question, task.seed, task.attempt + 1)
                    if again.attempt % _ATTEMPTS:
                        running[pool.submit(self.answer, again)] = again
                        continue
                    yield task, None
                else:
                    yield task, answered
                running.update({pool.submit(self.answer, t): t for t in islice(waiting, 1)})

    def answer(self, task: Task) -> Answered:
        """All turns of a question, each seeing the answers before it.

        Raises:
            EvolutionFailed: one of them has no answer.
        """
        messages = [turn.model_dump() for turn in task.question.context]
        turns, documents = [], []
        for number, prompt in enumerate(task.question.turns):
            messages.append({"role": "user", "content": prompt})
            started = time.time()
            document = self._evolve(task, number, messages)
            turn = turn_of(document, prompt, started)
            messages.append({"role": "assistant", "content": turn.answer})
            turns.append(turn)
            documents.append(document)
        row = Row(
            question=task.question.id,
            category=task.question.category,
            method=task.cell.method,
            setting=task.cell.setting,
            seed=task.seed,
            turns=tuple(turns),
            versions=self._versions,
        )
        return Answered(row, tuple(documents))

    def _evolve(self, task: Task, turn: int, messages: list[dict[str, str]]) -> Document:
        seed = _digest(task.seed, task.question.id, turn) >> 16
        body = self._plan.body(task.cell, messages, seed)
        key = f"{_digest(self._run_id, task.key, turn, task.attempt):016x}"
        evolution_id = self._client.start(body, idempotency_key=f"eval-{key}")["id"]
        events = list(self._client.events(evolution_id))
        document = {**self._client.get(evolution_id), "events": events}
        if document["status"] != "succeeded":
            error = document.get("error") or {}
            raise EvolutionFailed(f"{evolution_id} {document['status']}: {error.get('message', '')}")
        return document


def turn_of(document: Document, prompt: str, started_at: float) -> Turn:
    """The turn that an evolution answers.

    Raises:
        EvolutionFailed: the search was stopped before it had an answer or a base response with rewards.
    """
    result = document["result"]
    if not result["choices"] or result["base"] is None or result["choices"][0]["reward"] is None:
        raise EvolutionFailed(f"{document['id']} has no scored answer and base response")
    if result.get("stopped_by") == "error":
        raise EvolutionFailed(f"{document['id']} was cut short by an error, which says nothing of its method")
    best, base = result["choices"][0], result["base"]
    tokens = {name: count for name, count in result["tokens"].items() if name != "generated"}
    traits = METHODS[document.get("method") or document["model"]]
    return Turn(
        prompt=prompt,
        answer=best["text"],
        answer_tokens=best["completion_tokens"],
        instruction=best["instruction"],
        guide=best["reward"],
        base=base["text"],
        base_tokens=base["completion_tokens"],
        base_guide=base["reward"],
        candidates=_candidates(document) if traits.independent else (),
        population=_population(document) if traits.searches and not traits.independent else (),
        tokens=Tokens(prompt=result["prompt_tokens"], **tokens),
        seconds=Seconds(**result["seconds"]),
        rounds=result["rounds"],
        stopped_by=result.get("stopped_by"),
        profile=document.get("settings", {}).get("profile", ""),
        profile_owner=document.get("settings", {}).get("profile_owner"),
        evolution=document["id"],
        started_at=started_at,
        finished_at=time.time(),
    )


def _candidates(document: Document) -> tuple[Candidate, ...]:
    """Every final response in the order of sampling, the base response first; equal texts occur as often as sampled.

    Raises:
        EvolutionFailed: the document does not hold all of them, with a reward each.
    """
    choices = {choice["text"]: choice for choice in document["result"]["choices"] if choice["reward"] is not None}
    texts = [document["result"]["base"]["text"]]
    for event in document["events"]:
        if event["type"] == "round.finished":
            texts += event["texts"]
    if missing := set(texts) - choices.keys():
        raise EvolutionFailed(f"{document['id']}: {len(missing)} of its responses are no choices with a reward")
    return tuple(
        Candidate(text=text, guide=choices[text]["reward"], tokens=choices[text]["completion_tokens"]) for text in texts
    )


def _population(document: Document) -> tuple[Candidate, ...]:
    """The distinct final responses that have a reward, best first."""
    return tuple(
        Candidate(text=choice["text"], guide=choice["reward"], tokens=choice["completion_tokens"])
        for choice in document["result"]["choices"]
        if choice["reward"] is not None
    )


def _digest(*parts: object) -> int:
    """A 64-bit integer that depends on nothing but `parts`."""
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest())
