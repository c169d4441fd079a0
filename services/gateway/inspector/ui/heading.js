// Shows the instruction of an evolution, its outcome, and buttons for what can be done with it.

import * as api from "./api.js";
import { count, h, outcome, seconds, signed, time } from "./dom.js";
import { bestOf, roundsOf } from "./history.js";
import { openRerun } from "./rerun.js";

const MOST_TITLE = 200;

export function heading(view) {
  const figures = h("dl", { class: "tiles" });
  const withheld = h("p", { class: "hint withheld", hidden: true });
  const error = h("p", { class: "wrong", role: "alert", hidden: true });
  const stop = action(error, "Cancel", async () => void (await api.cancel(view.recording.id)));
  const rerun = action(error, "Run again with…", () => openRerun(view));
  rerun.className = "primary";
  const pairs = ["whole", "steps"].map((kind) => downloadButton(view, error, `Pairs: ${kind}`, `/pairs?kind=${kind}`, `${view.recording.id}.${kind}.jsonl`));
  const update = () => {
    figures.replaceChildren(...tiles(view));
    withheld.hidden = !view.history.withheld.length;
    withheld.textContent = `Wishes of the profile that mutants do not tell, since the conversation demands otherwise: ${view.history.withheld.join("; ")}`;
    stop.hidden = view.ended;
    for (const button of pairs) button.disabled = !view.ended;
    if (view.recording.error) Object.assign(error, { hidden: false, textContent: view.recording.error.message });
  };
  const element = h("header", { class: "heading" },
    h("h1", { tabindex: -1 }, shortened(view.instruction)), conversation(view.recording.messages), figures, withheld, identity(view),
    h("div", { class: "actions", role: "group", "aria-label": "Actions" },
      rerun,
      downloadButton(view, error, "Recording", "/recording", `${view.recording.id}.json`), pairs, stop), error);
  update();
  return { element, update };
}

function shortened(text) {
  return text.length > MOST_TITLE ? `${text.slice(0, MOST_TITLE)}…` : text;
}

function tiles(view) {
  const { recording, history } = view;
  const best = recording.result?.choices[0]?.reward ?? bestOf(history);
  const base = recording.result?.base?.reward ?? history.base?.reward ?? null;
  const gain = best === null || base === null ? null : best - base;
  const shown = [
    ["outcome", outcome(recording.status, recording.result?.stopped_by, recording.result?.fallback)], ["method", recording.method],
    ["reward", signed(best)], ["gain over base", h("span", { class: gain > 0 ? "up" : gain < 0 ? "down" : "" }, signed(gain))],
    ["time", seconds(recording.finished_at && recording.finished_at - recording.created_at)],
    ["tokens sampled", count(recording.result?.tokens.generated)], ["rounds", count(recording.result?.rounds ?? roundsOf(history).length)],
    ["accepted", time(recording.created_at)],
  ];
  return shown.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)));
}

function identity({ recording, viewer }) {
  const trace = recording.trace_id;
  const url = trace && viewer.trace_url?.replaceAll("{trace_id}", encodeURIComponent(trace));
  return h("p", { class: "identity" }, "evolution ", h("code", {}, recording.id),
    trace && [" · trace ", url ? h("a", { href: url, target: "_blank", rel: "noopener noreferrer", id: "trace" }, trace) : h("code", { id: "trace" }, trace)]);
}

function conversation(messages) {
  if (messages.length === 1 && messages[0].content.length <= MOST_TITLE) return null;
  return h("details", {}, h("summary", {}, `The whole conversation (${messages.length} ${messages.length === 1 ? "message" : "messages"})`),
    h("ol", { class: "conversation" }, messages.map((message) => h("li", {}, h("b", {}, message.role), h("p", { class: "text" }, message.content)))));
}

/** A button that does `work`, and shows in `error` what went wrong. */
function action(error, name, work) {
  const button = h("button", { type: "button", onclick: async () => {
    error.hidden = true;
    try {
      await work();
    } catch (failure) {
      Object.assign(error, { hidden: false, textContent: failure.message });
    }
  } }, name);
  return button;
}

function downloadButton(view, error, name, rest, file) {
  return action(error, `↓ ${name}`, async () => {
    if (!(await api.download(view.recording.id, rest, file))) throw new Error("There is no such pair: nothing was preferred to anything else.");
  });
}
