"""Which judge a component names."""

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_fixed

from services.reward.judges.endpoint import EndpointJudge
from services.reward.judges.judge import Answer, Judge
from services.reward.judges.service import ServiceJudge
from services.reward.runtime import Runtime
from services.reward.specs import JudgeSpec
from shared.errors import Internal, InvalidRequest, Overloaded, Unavailable, Unsupported

_WAITS_S = 60.0
_RETRIES_EVERY_S = 1.0


def judge_of(spec: JudgeSpec, runtime: Runtime) -> Judge:
    """The judge that the component names, not started yet."""
    return ServiceJudge(spec, runtime) if spec.url is None else EndpointJudge(spec, runtime)


async def start_and_try(judge: Judge, questions: list[str]) -> None:
    """Starts the judge and asks it some questions; one that is away is waited for, for a minute.

    Raises:
        Unsupported: it cannot judge; `field` names what to change.
        Unavailable: it stays away.
    """
    patiently = AsyncRetrying(
        retry=retry_if_exception_type((Unavailable, Overloaded)),
        wait=wait_fixed(_RETRIES_EVERY_S),
        stop=stop_after_delay(_WAITS_S),
        reraise=True,
    )

    async def attempt() -> list[Answer | None]:
        await judge.start()
        return await judge.ask(questions, "", "trial")

    try:
        answers: list[Answer | None] = await patiently(attempt)
    except (InvalidRequest, Internal) as error:
        raise Unsupported(error.message, field="url") from error
    if any(answer is None or answer.yes is None for answer in answers):
        raise Unsupported(
            "the judge was asked a question that demands yes or no, and begins its answer with neither: take a model "
            "that follows instructions, and where it thinks first, switch that off by chat_template_arguments",
            field="model",
        )
