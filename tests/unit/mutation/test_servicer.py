from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from services.mutation.messages import (
    AcceptedMutant,
    MutationEvent,
    MutationRequest,
    MutationSummary,
    Reason,
    Rejection,
    TextSource,
)
from services.mutation.servicer import MutationServicer
from shared.errors import InvalidRequest, Unavailable
from shared.pb import mutation_pb2 as pb
from shared.records.credit import Credit, Earned
from tests.metrics import Measured

MESSAGES = [
    pb.MutateRequest.Message(role="system", content="Be kind."),
    pb.MutateRequest.Message(role="user", content="Hi"),
]


class Context:
    def time_remaining(self) -> float:
        return 1.5


class Mutator:
    """Gives the events it holds."""

    def __init__(self, *events: MutationEvent) -> None:
        self.events = events
        self.calls: list[tuple[MutationRequest, float | None]] = []

    async def mutate(self, request: MutationRequest, timeout: float | None) -> AsyncGenerator[MutationEvent, None]:
        self.calls.append((request, timeout))
        for event in self.events:
            yield event


async def served(mutator: Mutator, request: pb.MutateRequest) -> list[pb.MutateEvent]:
    servicer = MutationServicer()
    servicer.mutator = mutator  # type: ignore[assignment]
    return [event async for event in servicer.Mutate(request, Context())]  # type: ignore[arg-type]


async def test_the_request_arrives() -> None:
    mutator = Mutator()
    await served(mutator, pb.MutateRequest(messages=MESSAGES, parent="Hello", count=3, exclude=["Hey"], seed=0))
    ((request, _),) = mutator.calls
    assert (request.original, request.parent, request.count, request.exclude) == ("Hi", "Hello", 3, ("Hey",))
    assert request.seed == 0
    assert request.credit is None


async def test_credit_arrives() -> None:
    mutator, earned = Mutator(), {"shorten": pb.MutateRequest.Earned(mean=0.5, weight=3)}
    await served(mutator, pb.MutateRequest(messages=MESSAGES, parent="Hello", count=3, earned=earned, noise=2.0))
    ((request, _),) = mutator.calls
    assert request.credit == Credit({"shorten": Earned(0.5, 3.0)}, 2.0)


async def test_wishes_arrive_and_those_that_are_not_told_are_counted() -> None:
    mutator = Mutator(MutationSummary(7, 8, withheld=("short",)))
    with Measured() as measured:
        asked = pb.MutateRequest(messages=MESSAGES, parent="Hello", count=3, wishes=["short", "kind"])
        *_, last = await served(mutator, asked)
    assert list(last.summary.withheld) == ["short"]
    assert measured.of("darwin.mutation.wishes.withheld") == 1
    assert [request.wishes for request, _ in mutator.calls] == [("short", "kind")]


@pytest.mark.parametrize("wishes", [["a"] * 17, ["a" * 201], [""], ["a\nb"]])
async def test_wishes_out_of_their_limits_are_refused(wishes: list[str]) -> None:
    with pytest.raises(InvalidRequest, match="wishes"):
        await served(Mutator(), pb.MutateRequest(messages=MESSAGES, parent="Hello", count=3, wishes=wishes))


async def test_responses_to_quote_arrive() -> None:
    mutator = Mutator()
    asked = pb.MutateRequest(messages=MESSAGES, parent="Hello", count=3, crossover=["A.", "B."], refine="A.")
    await served(mutator, asked)
    await served(mutator, pb.MutateRequest(messages=MESSAGES, parent="Hello", count=3))
    assert [(request.crossover, request.refine) for request, _ in mutator.calls] == [(("A.", "B."), "A."), ((), "")]


async def test_an_unset_seed_stays_unset() -> None:
    mutator = Mutator()
    await served(mutator, pb.MutateRequest(messages=MESSAGES, parent="Hello", count=3))
    assert mutator.calls[0][0].seed is None


async def test_every_source_and_reason_has_its_name_on_the_wire() -> None:
    mutants = [AcceptedMutant("a", "clarify", source, 0.5) for source in TextSource]
    rejections = [Rejection("b", "clarify", reason) for reason in Reason]
    events = await served(
        Mutator(*mutants, *rejections, MutationSummary(7, 8)),
        pb.MutateRequest(messages=MESSAGES, parent="Hello", count=3),
    )
    names = [pb.MutateEvent.Source.Name(event.mutant.source) for event in events[:3]]
    assert names == ["SOURCE_MODEL", "SOURCE_TEMPLATE", "SOURCE_PARENT"]
    reasons = {event.rejection.reason for event in events[3:-1]}
    assert reasons == set(pb.MutateEvent.Reason.values()) - {pb.MutateEvent.REASON_UNSPECIFIED}
    assert not events[3].rejection.HasField("similarity")
    assert events[0].mutant.similarity == 0.5
    assert (events[-1].summary.prompt_tokens, events[-1].summary.generated_tokens) == (7, 8)


async def test_a_measured_rejection_says_its_similarity() -> None:
    rejection = Rejection("b", "clarify", Reason.MEANING_LOST, 0.0)
    (event,) = await served(Mutator(rejection), pb.MutateRequest(messages=MESSAGES, parent="Hello", count=3))
    assert event.rejection.HasField("similarity")


async def test_before_it_has_loaded_it_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        await anext(aiter(MutationServicer().Mutate(pb.MutateRequest(), Context())))  # type: ignore[arg-type]


async def test_candidates_are_counted_by_what_became_of_them() -> None:
    mutants = [AcceptedMutant("a", "clarify", source, 0.5) for source in TextSource]
    rejections = [Rejection("b", "clarify", reason) for reason in Reason]
    with Measured() as measured:
        await served(
            Mutator(*mutants, *rejections, MutationSummary(7, 8)),
            pb.MutateRequest(messages=MESSAGES, parent="Hello", count=3),
        )
    name = "darwin.mutation.candidates"
    assert [measured.of(name, outcome="accepted", source=source.value) for source in TextSource] == [1, 1, 1]
    assert [measured.of(name, outcome=reason.value, source="model") for reason in Reason] == [1] * len(Reason)
    assert measured.of(name) == len(TextSource) + len(Reason)


async def test_rewrites_that_the_model_did_not_give_are_counted() -> None:
    with Measured() as measured:
        await served(
            Mutator(MutationSummary(7, 8, unwritten=3)), pb.MutateRequest(messages=MESSAGES, parent="Hello", count=3)
        )
    assert measured.of("darwin.mutation.candidates", outcome="unwritten", source="model") == 3
