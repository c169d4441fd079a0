"""Which lines after an instruction earn answers a better reward: where `services.mutation.lines` comes from.

python -m bench.templates QUESTIONS          # samples (an hour on two cores), prints a table
python -m bench.templates QUESTIONS --judge-command "python judge.py"     # beside it a judge that chooses nothing

Samples are kept in bench/out/templates.jsonl; what is there already is not sampled again. A line is put behind the
questions that it is drawn for: those whose demands it does not contradict. It ships unless it is shown to lose: unless
the guide prefers plain answers of the same length, the interval of the intercept of the line of gains on differences of
length, over questions, being below 0. Of lines alike the better one ships. Every other question is used: the even half.
"""

import argparse
import asyncio
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from cli.evaluation.judging import Judge, JudgedResponse, command_judge, profile_judge
from cli.evaluation.questions import Question, QuestionFilter, read_questions
from cli.evaluation.report.statistics import Bootstrap, Interval
from services.generation.bootstrap import build_engine, build_generator
from services.generation.messages import GenerateRequest, SamplingOptions
from services.generation.messages import Sequence as GenerationSequence
from services.generation.settings import GenerationSettings
from services.mutation.demands import read
from services.mutation.templates import TEMPLATES, pool
from shared.records.evolution import Message

OUT = Path(__file__).parent / "out" / "templates.jsonl"
MAX_TOKENS = 128
PLAIN_NAME, PLAIN = "plain", "{}"
# Tried and left out; {} stands for the instruction.
LEFT_OUT = {
    "ask_connections": "{}\n\nIn your answer, show how the parts are connected and what they mean.",
    "ask_depth": "{}\n\nDiscuss it in depth, and say why each part matters.",
    "ask_long": "{}\n\nWrite a long and informative answer.",
    "ask_insight": "{}\n\nOffer real insight in well-formed paragraphs.",
    "shorten_core": "{}\n\nSay only what matters most, as briefly as you can.",
    "ask_answer_first": "{}\n\nBegin with the direct answer to exactly what is asked.",
    "ask_every_part": "{}\n\nAnswer every part of what is asked, and leave out what does not serve it.",
    "ask_short_list": "{}\n\nPut the main points into a short list, each with one sentence.",
    "ask_headings": "{}\n\nPut the answer into a clear order, with a short heading for each part.",
    "check_beforehand": "{}\n\nBefore you answer, check what you want to say for mistakes, and correct them.",
    "check_right": "{}\n\nMake sure that everything in it is correct, and explain it.",
    "check_certainty": "{}\n\nSay only what you are sure of, and say plainly where you are not.",
    "ask_main_point": "{}\n\nConcentrate on the main point, and explain it well.",
    "reader_user": "{}\n\nWrite for a person who is going to use the answer right away.",
    "reader_new": "{}\n\nWrite so that someone who is new to this can follow it.",
    "reader_needs": "{}\n\nThink of what the person who asks has to know or do next, and say that.",
    "ask_how_why": "{}\n\nExplain how and why, not only what.",
    "ask_essay": "{}\n\nWrite it as a short, well-developed essay.",
    "ask_structure": "{}\n\nPlease organize your answer well.",
    "ask_examples": "{}\n\nWhere it helps, include a concrete example.",
    "ask_list": "{}\n\nAnswer with a numbered list, one or two sentences for each item.",
    "ask_detail": "{}\n\nPlease be thorough and include the important details.",
    "ask_clarity": "{}\n\nPlease make your answer clear and easy to follow.",
    "ask_accuracy": "{}\n\nPlease make sure that everything you say is accurate.",
    "ask_completeness": "{}\n\nMake sure that every part of this request is addressed.",
    "ask_plain_words": "{}\n\nPlease use plain language.",
    "ask_engaging": "{}\n\nPlease make your answer engaging to read.",
    "ask_summary": "{}\n\nStart with the most important point.",
    "ask_specific": "{}\n\nGive specific facts, names and figures.",
    "ask_own_words": "{}\n\nAnswer naturally and in your own words.",
    "ask_on_topic": "{}\n\nStay on the topic of this request throughout.",
    "ask_high_quality": "{}\n\nWrite the kind of answer that a careful reader would rate as excellent.",
    "ask_reader": "{}\n\nWrite for an intelligent reader who wants to understand.",
    "ask_more_insight": "{}\n\nGo beyond the obvious and offer real insight.",
    "ask_explained": "{}\n\nExplain every point that you make in full sentences.",
    "ask_reasoning": "{}\n\nExplain your reasoning in full, and then draw the conclusion.",
    "ask_walk": "{}\n\nWalk the reader through it, from the beginning to the end.",
    "ask_overview": "{}\n\nBegin with an overview, and then go into the details one after another.",
    "ask_sides": "{}\n\nConsider it from several sides before you come to a conclusion.",
    "ask_at_length": "{}\n\nAnswer thoughtfully and at length.",
    "ask_purpose": "{}\n\nThink about why someone asks this, and give them an answer that really helps them "
    "understand.",
    "ask_time": "{}\n\nTake your time: explain what matters, why it matters, and what follows from it.",
    "ask_useful": "{}\n\nThink step by step about what would make this answer most useful, and then write it in full.",
    "ask_what_how_why": "{}\n\nBe informative: say what, how and why, in full sentences.",
    "ask_about": "{}\n\nFirst, say what this is about and why it matters. Then answer in depth.",
    "as_assistant": "You are a helpful, honest and knowledgeable assistant. Answer the following well.\n\n{}",
    "as_thoughtful": "You are a knowledgeable and thoughtful assistant who explains things in depth.\n\n{}",
    "as_scholar": "You are a thoughtful scholar who explains things fully and clearly.\n\n{}",
    "as_expert": "Answer as a helpful expert in the subject would.\n\n{}",
    "as_teacher": "Answer as a patient teacher would.\n\n{}",
    "as_writer": "Answer as a skilled and thoughtful writer would.\n\n{}",
    "outline_first": "Outline your answer first, then write it out in full.\n\n{}",
    "plan_silently": "Think about what a complete answer needs, then give it.\n\n{}",
    "careful_reading": "Read the following request carefully and do exactly what it asks.\n\n{}",
    "best_answer": "Give the best possible answer to the following request.\n\n{}",
    "specific": "Be specific and avoid generalities in your answer.\n\n{}",
    "helpful_tone": "Answer the following in a friendly and helpful tone.\n\n{}",
    "precise_tone": "Answer the following precisely and factually.\n\n{}",
    "useful_answer": "Answer so that the reader can make use of it right away.\n\n{}",
    "said_twice": "{0}\n\nRead the request again: {0}",
}


@dataclass(frozen=True)
class WrappedSample:
    """A response to a question whose instruction was wrapped; scores are None until it is scored."""

    question: str
    template: str
    number: int
    text: str
    tokens: int
    guide: float | None = None
    judge: float | None = None

    @property
    def characters(self) -> int:
        return len(self.text)

    @property
    def key(self) -> tuple[str, str, int]:
        return self.question, self.template, self.number


def formats() -> dict[str, str]:
    """Every wrapping as a format, the plain instruction first."""
    kept = {template.name: template.wrap("{}") for template in TEMPLATES}
    return {PLAIN_NAME: PLAIN, **kept, **LEFT_OUT}


def kept_samples(file: Path) -> list[WrappedSample]:
    return [WrappedSample(**json.loads(line)) for line in file.open()] if file.exists() else []


def wanted(questions: Sequence[Question], samples: int) -> dict[tuple[str, str, int], str]:
    """Instructions to answer, by question, template and number; plain ones three times as often."""
    found: dict[tuple[str, str, int], str] = {}
    for question in questions:
        drawn = [template for template in pool(read((Message("user", question.turns[0]),))) if template.imposes]
        names = {PLAIN_NAME, *LEFT_OUT, *(template.name for template in drawn)} if drawn else set()
        for name, form in formats().items():
            for number in range(samples * (3 if name == PLAIN_NAME else 1)) if name in names else ():
                found[question.id, name, number] = form.replace("{0}", "{}").replace("{}", question.turns[0])
    return found


async def sample(missing: dict[tuple[str, str, int], str], file: Path) -> None:
    """Answers each instruction on the default engine and appends to `file`."""
    settings = GenerationSettings()
    engine = build_engine(settings)
    await engine.start()
    generator = build_generator(engine, settings)
    keys = list(missing)
    try:
        with file.open("a") as stream:
            for start in track(range(0, len(keys), 128), "sampling"):
                part = keys[start : start + 128]
                sequences = tuple(
                    GenerationSequence(str(i), (Message("user", missing[key]),), max_new_tokens=MAX_TOKENS)
                    for i, key in enumerate(part)
                )
                request = GenerateRequest(sequences, SamplingOptions(temperature=0.7, top_k=40))
                async for results in generator.generate(request):
                    for result in results:
                        found = WrappedSample(*part[int(result.id)], result.text, result.usage.generated_tokens)
                        stream.write(json.dumps(asdict(found)) + "\n")
                stream.flush()
    finally:
        await engine.stop()


def scored(
    samples: Sequence[WrappedSample], questions: Sequence[Question], name: str, judge: Judge
) -> list[WrappedSample]:
    """With the scores of `judge` in the field `name`."""
    prompts = {question.id: question.turns[0] for question in questions}
    ordered = sorted(samples, key=lambda item: item.question)
    scores = judge(
        [JudgedResponse(({"role": "user", "content": prompts[item.question]},), item.text) for item in ordered]
    )
    both = zip(ordered, scores, strict=True)
    return [replace(item, guide=s) if name == "guide" else replace(item, judge=s) for item, s in both]


def gains(samples: Sequence[WrappedSample], field: str) -> dict[str, tuple[float, float]]:
    """Mean gain over plain answers to the same question, and its standard error over questions, by template."""
    return {
        template: (float(np.mean(over)), float(np.std(over, ddof=1) / len(over) ** 0.5))
        for template, by_question in differences(samples, field).items()
        for over in [list(by_question.values())]
    }


def gains_at_equal_length(samples: Sequence[WrappedSample], field: str) -> dict[str, Interval]:
    """The gain over plain answers of the same length, as in `darwin eval report`, by template."""
    lengths, bootstrap, found = differences(samples, "characters"), Bootstrap(resamples=2000), {}
    for template, by_question in differences(samples, field).items():
        over = np.array(list(by_question.values()))
        longer = np.array([lengths[template][question] for question in by_question])
        if (interval := bootstrap.at_equal_length(over, longer)) is not None:
            found[template] = interval
    return found


def differences(samples: Sequence[WrappedSample], field: str) -> dict[str, dict[str, float]]:
    """The mean of each template's answers less that of plain ones to the same question, by template and question."""
    means: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for item in samples:
        if (value := getattr(item, field)) is not None:
            means[item.template][item.question].append(value)
    plain = means.pop(PLAIN_NAME, {})
    return {
        template: {
            question: float(np.mean(values) - np.mean(plain[question])) for question, values in by_question.items()
        }
        for template, by_question in means.items()
    }


def table(samples: Sequence[WrappedSample]) -> Table:
    title = f"gain over plain answers, {len(samples)} samples; bold: not shown to lose at equal length, by the guide"
    shown = Table(title=title)
    numbers = ("guide, equal length", "judge, equal length", "guide", "judge", "characters", "shipped")
    columns = ("template", "kind", *numbers)
    for column in columns:
        shown.add_column(column, justify="left" if column in ("template", "kind") else "right")
    equal = [gains_at_equal_length(samples, field) for field in ("guide", "judge")]
    plain = [gains(samples, field) for field in ("guide", "judge", "characters")]
    kinds = {template.name: template.kind.value for template in TEMPLATES}
    for name in sorted(equal[0], key=lambda template: -equal[0][template].value):
        cells = [_shown(each[name]) if name in each else "" for each in equal]
        cells += [f"{each[name][0]:+.2f} ± {each[name][1]:.2f}" if name in each else "" for each in plain]
        high = equal[0][name].high
        style = "bold" if high is not None and high >= 0 else None
        shown.add_row(name, kinds.get(name, ""), *cells, "yes" if name in kinds else "", style=style)
    return shown


def _shown(gain: Interval) -> str:
    between = f" [{gain.low:+.2f}, {gain.high:+.2f}]" if gain.low is not None and gain.high is not None else ""
    return f"{gain.value:+.2f}{between}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", type=Path, nargs="+")
    parser.add_argument("--draw", type=int, help="so many of the questions")
    parser.add_argument("--samples", type=int, default=2, help="per question and template")
    parser.add_argument("--guide", default="default", help="reward profile: a name or a YAML file")
    parser.add_argument("--judge-command")
    arguments = parser.parse_args()
    choose = QuestionFilter(split="test", single=True, max_characters=700, part="even", draw=arguments.draw, turns=1)
    questions = read_questions(*arguments.questions, choose=choose)
    OUT.parent.mkdir(exist_ok=True)
    have = {item.key for item in kept_samples(OUT)}
    missing = {key: text for key, text in wanted(questions, arguments.samples).items() if key not in have}
    if missing:
        asyncio.run(sample(missing, OUT))
    samples = scored(kept_samples(OUT), questions, "guide", profile_judge(arguments.guide))
    if arguments.judge_command:
        samples = scored(samples, questions, "judge", command_judge(arguments.judge_command))
    Console().print(table(samples))


if __name__ == "__main__":
    main()
