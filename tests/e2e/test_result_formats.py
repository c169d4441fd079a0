"""What `darwin eval` writes for AlpacaEval and FastChat, read by the functions with which they read it themselves."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cli.evaluation.formats import write_formats
from cli.evaluation.questions import read_questions
from cli.evaluation.rows import Row, Turn
from shared.records.evolution import Seconds, Tokens
from tests.clients.environments import FOLDER, Client, NotInstalled, made

TOOLS = Client(pip=("alpaca-eval==0.6.6", "fschat==0.2.36", "--no-deps"), reads_product=True)
# Neither tool's reading needs what calls models or reads a command line, which is slow to import or not installed.
STAND_INS = """
import json, sys, types
for name, attributes in {
    "anthropic": (), "fire": (), "openai": (), "fastchat.model": (),
    "fastchat.model.model_adapter": ("get_conversation_template", "ANTHROPIC_MODEL_LIST", "OPENAI_MODEL_LIST"),
}.items():
    sys.modules[name] = types.ModuleType(name)
    vars(sys.modules[name]).update(dict.fromkeys(attributes, ()))
"""
ALPACA_EVAL = """
from alpaca_eval.annotators import PairwiseAnnotator
from alpaca_eval.main import evaluate

class Annotator:
    input_keys = ("instruction",)
    annotate_head2head = PairwiseAnnotator.annotate_head2head

    def __init__(self, annotators_config):
        pass

    def __call__(self, frame):
        return [{**row, "preference": 2.0} for row in frame.to_dict("records")]

outputs, reference = sys.argv[1:]
board, annotations = evaluate(
    outputs, reference, annotators_config="none", Annotator=Annotator, precomputed_leaderboard=None, output_path=None,
    fn_metric="get_winrate", sort_by="win_rate", is_return_instead_of_print=True,
)
print(json.dumps([board["win_rate"].to_dict(), annotations]))
"""
FASTCHAT = """
from fastchat.llm_judge import common, gen_judgment

questions, answers = common.load_questions(sys.argv[1], None, None), common.load_model_answers(sys.argv[2])
models = common.get_model_list(sys.argv[2])
common.check_data(questions, answers, {}, models, {})
matches = gen_judgment.make_match_all_pairs(questions, models, answers, None, multi_turn=True)
print(json.dumps([models, [[match.question["question_id"], match.answer_1, match.answer_2] for match in matches]]))
"""
QUESTIONS = [
    {"question_id": 81, "category": "writing", "turns": ["Écris\u2028en français.", "Plus court.\r\n"]},
    {"question_id": 82, "category": "none", "turns": ["Why?", "And then?"]},
]


@pytest.fixture(scope="module")
def python() -> Path:
    try:
        return made(FOLDER / "result_formats", TOOLS) / "bin" / "python"
    except NotInstalled as error:
        pytest.skip(f"AlpacaEval and FastChat cannot be installed here: {error}")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Two methods' answers to both questions, in both formats."""
    lines = [json.dumps(question, ensure_ascii=False) + "\n" for question in QUESTIONS]
    (tmp_path / "questions.jsonl").write_text("".join(lines), "utf-8")
    questions = read_questions(tmp_path / "questions.jsonl")
    rows = [
        Row(
            question=question.id,
            method=method,
            setting=setting,
            seed=0,
            turns=tuple(answered(turn, f"{method}\u2028à {turn} ☂") for turn in question.turns),
            versions={},
        )
        for method, setting in (("darwin", {"cycles": 2}), ("best-of-n", {"mutants": 3}))
        for question in questions
    ]
    write_formats(rows, tmp_path, {"81": "koala", "82": "koala"})
    return tmp_path


def answered(prompt: str, answer: str) -> Turn:
    scored: dict[str, Any] = {"answer_tokens": 1, "base": "", "base_tokens": 1, "base_guide": 0.0, "guide": 0.0}
    times = {"started_at": 0.0, "finished_at": 1.5, "tokens": Tokens(), "seconds": Seconds(), "rounds": 1}
    return Turn(prompt=prompt, answer=answer, instruction=prompt, evolution="evo", **scored, **times)


def told(python: Path, code: str, *words: Path) -> Any:
    """What the code prints, on a machine whose files are ASCII unless it is said otherwise."""
    environment = {**os.environ, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    command = [str(python), "-P", "-c", STAND_INS + code, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_alpaca_eval_compares_two_files_of_outputs(python: Path, results: Path) -> None:
    files = [results / "alpaca_eval" / f"{name}.json" for name in ("darwin-cycles=2", "best-of-n-mutants=3")]
    rates, annotations = told(python, ALPACA_EVAL, *files)
    assert rates == {"darwin-cycles=2": 100.0}
    found = {each["instruction"]: (each["output_2"], each["output_1"], each["dataset"]) for each in annotations}
    assert found == {
        turn: (f"darwin\u2028à {turn} ☂", f"best-of-n\u2028à {turn} ☂", "koala")
        for turn in (question["turns"][0] for question in QUESTIONS)  # type: ignore[index]
    }


def test_fastchat_matches_two_models_answers(python: Path, results: Path) -> None:
    (results / "ascii.jsonl").write_text("".join(json.dumps(question) + "\n" for question in QUESTIONS))
    models, matches = told(python, FASTCHAT, results / "ascii.jsonl", results / "model_answer")
    assert sorted(models) == ["best-of-n-mutants=3", "darwin-cycles=2"]
    assert [match[0] for match in matches] == [81, 82]
    for (_, *answers), question in zip(matches, QUESTIONS, strict=True):
        for answer, model in zip(answers, models, strict=True):
            assert answer["model_id"] == model
            method = "darwin" if "darwin" in model else "best-of-n"
            said = [f"{method}\u2028à {turn} ☂" for turn in question["turns"]]  # type: ignore[attr-defined]
            assert answer["choices"] == [{"index": 0, "turns": said}]
