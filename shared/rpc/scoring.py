"""What the reward service is asked of an evolution's responses, whoever asks."""

from collections.abc import Iterable
from typing import NamedTuple

from shared.pb import reward_pb2 as pb
from shared.records.evolution import EvolutionRequest
from shared.records.salt import cache_salt
from shared.records.turns import begun_answer
from shared.text.plain_turns import as_judged


class Candidate(NamedTuple):
    """A response as it was decoded; a `partial` one goes on. `self_certainty` is the language model's, as the mean over
    its tokens; None where nobody has kept it."""

    id: str
    text: str
    partial: bool = False
    self_certainty: float | None = None


def score_request(
    request: EvolutionRequest, candidates: Iterable[Candidate], profile: str, content: str, *, together: bool = False
) -> pb.ScoreRequest:
    """Responses are scored against the original conversation: whole answers, so the beginning that the caller gave,
    less what it thinks, stands before what was decoded. An empty `content` means a profile of the service's own files.
    Under a profile whose rewards compare responses all are sent `together`.
    """
    begun = begun_answer(request.messages, request.prefill_thought)
    return pb.ScoreRequest(
        messages=[pb.ScoreRequest.Message(role=m.role, content=m.content) for m in as_judged(request.messages)],
        candidates=[
            pb.ScoreRequest.Candidate(
                id=each.id, text=begun + each.text, partial=each.partial, self_certainty=each.self_certainty
            )
            for each in candidates
        ],
        profile=profile,
        cache_salt=cache_salt(request),
        json_values=request.sampling.format is not None and request.sampling.format.is_json,
        content=content,
        together=together,
    )
