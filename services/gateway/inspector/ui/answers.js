// Shows the base response beside the answer, and where they differ.

import * as api from "./api.js";
import { count, h, problem, section, signed } from "./dom.js";

export function answersSection(view, signal) {
  const body = h("div", { class: "answers" });
  const element = section("answers", "Base and evolved answer", "Word by word. Dashed: only in the base response. Underlined: only in the answer.", body);
  let compared = false;
  const compare = async () => {
    const { result } = view.recording;
    if (compared || !result) return;
    compared = true;
    if (!result.base || !result.choices.length) return body.replaceChildren(...halves(view));
    try {
      const { pieces } = await api.diff(view.recording.id, signal);
      body.replaceChildren(...halves(view, pieces));
    } catch (error) {
      if (!signal.aborted) body.replaceChildren(...halves(view), problem(error));
    }
  };
  const update = () => {
    if (!compared) body.replaceChildren(...halves(view));
    compare();
  };
  update();
  return { element, update };
}

function halves(view, pieces) {
  const { result, error } = view.recording;
  const base = result?.base ?? view.history.base;
  const answer = result?.choices[0];
  const none = error ? `There is no answer: ${error.message}` : view.ended ? "There is no answer." : "The answer comes at the end.";
  return [
    half("Base", base, base ? withMarks(pieces, "base", "del") ?? base.text : "The base response is still being decoded."),
    half("Evolved", answer, answer ? withMarks(pieces, "evolved", "ins") ?? answer.text : none),
  ];
}

function half(name, response, text) {
  const facts = response && [`reward ${signed(response.reward)}`, response.completion_tokens && `${count(response.completion_tokens)} tokens`,
    response.state !== null && response.state !== undefined && `cycle ${response.cycle}, state ${response.state}`].filter(Boolean).join(" · ");
  return h("article", { class: "answer card", tabindex: 0, "aria-label": `${name} response` },
    h("h3", {}, name, facts && h("span", { class: "hint" }, facts)),
    response?.reasoning ? h("details", { class: "thought" }, h("summary", {}, "Thought"), h("p", { class: "text hint" }, response.reasoning)) : null,
    h("p", { class: response ? "text" : "text hint" }, text));
}

function withMarks(pieces, kind, tag) {
  return pieces?.filter((piece) => piece.kind === "same" || piece.kind === kind)
    .map((piece) => (piece.kind === "same" ? piece.text : h(tag, {}, piece.text)));
}
