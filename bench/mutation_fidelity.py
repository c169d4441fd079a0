"""Where the mutation service's fidelity threshold comes from: `python -m bench.mutation_fidelity`.

Compares MT-Bench instructions with hand-written paraphrases, with hand-written drifts (same topic, another task: the
mistakes small models make), and with each other, by the encoder alone and together with the guards. The guards were
written with such drifts at hand, so their share is what they were made for, not a forecast.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.mutation import load_questions, out_path
from services.mutation import guards
from services.mutation.fidelity import EncoderFidelity
from services.mutation.settings import THRESHOLD
from shared.text.embedded_models import EMBEDDED_ENCODER

# MT-Bench question id: (paraphrase that keeps the task, rewrite that does not).
PAIRS: dict[int, tuple[str, str]] = {
    81: (
        "Write a captivating blog article on a recent Hawaii vacation that features cultural experiences and the "
        "attractions nobody should miss.",
        "Tell me what you like most about the beaches of Hawaii.",
    ),
    85: (
        "Use strong imagery and creative language to portray a vivid, unique character in fewer than two paragraphs.",
        "A vivid and unique character is a story of love and loss.",
    ),
    86: (
        "Compose a paragraph that describes a busy marketplace, with sensory details like smells, sounds and sights "
        "that immerse the reader.",
        "What is the scene of a bustling marketplace with the smell of fresh bread?",
    ),
    88: (
        "Write a gripping first paragraph of a short story in which a character wakes up one morning and discovers "
        "that they can travel in time.",
        "What is the most intriguing aspect of a story about time travel?",
    ),
    103: (
        "Thomas is in very good health, yet he must go to the hospital daily. What might explain this?",
        "What could be the reasons for Thomas's poor health?",
    ),
    104: (
        "If David has three sisters and every one of them has one brother, how many brothers has David?",
        "How many sisters does David have?",
    ),
    107: (
        "If A is B's father and B is C's father, how are A and C related?",
        "If A is the father of B, who is the father of C?",
    ),
    111: (
        "What is the area of a triangle whose vertices are (0, 0), (-1, 1), and (3, 3)?",
        "Find the vertices of a triangle whose area is 3.",
    ),
    112: (
        "In its first year a tech startup invests $8000 in software development, and in the second year half of that "
        "amount. How much did the startup invest in software development in total over the two years?",
        "A tech startup invests $8000 in software development in the first year. What should it invest in next?",
    ),
    114: (
        "What is the probability of rolling a total of at least 3 with two dice?",
        "What is the probability of rolling a total of 3 when rolling two dice?",
    ),
    118: (
        "A number leaves the remainder 4 when it is divided by 10. If twice the number is divided by 4, what is the "
        "remainder?",
        "What is the remainder when a number is divided by 10 and then by 4?",
    ),
    120: (
        "Find the value of f(2) for the function f(x) = 4x^3 - 9x - 14.",
        "Find the derivative of f(x) = 4x^3 - 9x - 14.",
    ),
    121: (
        "Write a Python program that goes through all the text files in a directory and gives the top-5 words by "
        "number of occurrences.",
        "Develop a Python program that reads a text file and counts its lines.",
    ),
    122: (
        "Use recursion to compute the nth Fibonacci number in a C++ program.",
        "Explain what recursion and the Fibonacci numbers are.",
    ),
    123: (
        "Create a simple HTML website that shows a random joke from a list of 4 jokes when the user clicks a button.",
        "Create a simple HTML page with a list of 4 jokes, and then explain the jokes.",
    ),
    127: (
        "Using the Boyer-Moore Voting Algorithm, implement a function that finds the majority element of a given "
        "array of integers.",
        "Explain the history of the Boyer-Moore Voting Algorithm.",
    ),
    130: (
        "Write a program that finds the elements common to two arrays without the use of any extra data structures.",
        "Find the common elements in two arrays using a hash set.",
    ),
    141: (
        "What does superposition mean in quantum physics, and what does it have to do with the phenomenon of quantum "
        "entanglement?",
        "In quantum physics, superposition is a state in which a particle is in several states at once.",
    ),
    144: (
        "Explain the central dogma of molecular biology, the processes involved in it, and who named it.",
        "The central dogma of molecular biology is the information theory of genetics.",
    ),
    150: (
        "List three impacts that the Alps and the Rhine River have had on settlement and agriculture in Western "
        "Europe.",
        "The Alps and Rhine River have had a profound impact on the settlement and agriculture of Western Europe.",
    ),
    151: (
        "Discuss how economic indicators like GDP, inflation, and unemployment rates correlate, and explain the "
        "effects that fiscal and monetary policies have on those indicators.",
        "Explain in simple terms what a central bank does.",
    ),
    152: (
        "In what way do life's stages shape how we understand time and mortality?",
        "What is the secret to understanding time?",
    ),
    153: (
        "Explain how antitrust laws affect market competition, and use case studies to compare the antitrust laws of "
        "the US and China.",
        "Discuss antitrust laws and their impact on market competition.",
    ),
    156: (
        "What is the base rate fallacy? Give five specific examples of politicians who use it in campaigns.",
        "What is the base rate fallacy and how does it affect our democracy?",
    ),
    157: (
        "What are five key principles for evaluating an argument in analytical writing? Describe them.",
        "When evaluating an argument, five key principles should be considered.",
    ),
    158: (
        "How did Socrates challenge the prevailing thoughts of his time? Name the methods he employed.",
        "Socrates employed various methods to challenge the prevailing thoughts of his time.",
    ),
    159: (
        "Which norms of business etiquette apply when you do business in Japan?",
        "Be mindful of business etiquette in Japan.",
    ),
    160: (
        "Recommend five award-winning documentary films that aspiring filmmakers should study, each with a brief "
        "background description.",
        "Study award-winning documentary films to become a filmmaker.",
    ),
}

THRESHOLDS = (0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)


def measure(questions: dict[int, str]) -> dict[str, Any]:
    fidelity = EncoderFidelity(EMBEDDED_ENCODER)
    groups: dict[str, list[tuple[float, bool]]] = {"paraphrase": [], "drift": [], "unrelated": []}
    for number, original in questions.items():
        others = [other for key, other in questions.items() if key != number]
        texts = {"unrelated": others}
        if number in PAIRS:
            texts |= {"paraphrase": [PAIRS[number][0]], "drift": [PAIRS[number][1]]}
        compare = fidelity.compare_to(original)
        for group, candidates in texts.items():
            passed = [guards.content(text, original) is None for text in candidates]
            groups[group] += zip(compare(candidates), passed, strict=True)
    return {group: _summarised(pairs) for group, pairs in groups.items()} | {"threshold": THRESHOLD}


def _summarised(pairs: list[tuple[float, bool]]) -> dict[str, Any]:
    cosines = np.array([cosine for cosine, _ in pairs])
    passed = np.array([guard for _, guard in pairs])
    return {
        "pairs": len(pairs),
        "quantiles": {str(q): round(float(np.quantile(cosines, q)), 3) for q in (0, 0.05, 0.5, 0.95, 1)},
        "accepted": {str(t): round(float((cosines >= t).mean()), 4) for t in THRESHOLDS},
        "accepted_with_guards": {str(t): round(float(((cosines >= t) & passed).mean()), 4) for t in THRESHOLDS},
    }


def main() -> None:
    report = measure({question["question_id"]: question["turns"][0] for question in load_questions()})
    table = Table(title="Accepted at a cosine of at least …, by the encoder alone / together with the guards")
    for column in ("pairs", "n", "min", "5%", "median", "95%", "max", *map(str, THRESHOLDS)):
        table.add_column(column, justify="right")
    for group in ("paraphrase", "drift", "unrelated"):
        row = report[group]
        shares = [
            f"{alone:.1%} / {both:.1%}"
            for alone, both in zip(row["accepted"].values(), row["accepted_with_guards"].values(), strict=True)
        ]
        table.add_row(group, str(row["pairs"]), *(f"{q:.2f}" for q in row["quantiles"].values()), *shares)
    Console(width=220).print(table)
    path: Path = out_path("mutation_fidelity.json")
    path.write_text(json.dumps(report, indent=2))
    print(f"shipped threshold {THRESHOLD}; written to {path}")


if __name__ == "__main__":
    main()
