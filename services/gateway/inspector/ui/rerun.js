// "Run again with…": a new evolution from this one's conversation, with settings changed.

import * as api from "./api.js";
import { h } from "./dom.js";

const METHODS = ["darwin", "best-of-n", "mutation-only", "replacement-only", "sample"];
const MUTATIONS = ["auto", "templates", "model"];
const SAMPLING = ["max_tokens", "temperature", "top_p", "n"];
const SEARCH = ["cycles", "mutants", "period", "survivors", "lookahead"];
const BUDGETS = ["max_generated_tokens", "max_reward_calls", "deadline_ms"];

export function openRerun(view) {
  const { recording } = view;
  const { settings } = recording;
  const error = h("p", { class: "wrong", role: "alert", hidden: true });
  const number = (name, value = settings[name]) => h("label", {}, name.replaceAll("_", " "), h("input", { name, type: "number", step: "any", value }));
  const choice = (name, options, value) => h("label", {}, name, h("select", { name }, options.map((option) => h("option", { selected: option === value }, option))));
  const form = h("form", { method: "dialog" },
    h("h2", { id: "rerun-title" }, "Run again with…"),
    h("label", {}, "instruction", h("textarea", { name: "instruction", rows: 4, required: true }, view.instruction)),
    h("div", { class: "fields" },
      choice("model", METHODS, recording.model), SEARCH.map((name) => number(name)), choice("mutation", MUTATIONS, settings.mutation),
      SAMPLING.map((name) => number(name)), number("seed", settings.seeded ? settings.seed : ""),
      BUDGETS.map((name) => number(name)), h("label", {}, "profile", h("input", { name: "profile", value: settings.profile }))),
    h("p", { class: "hint" }, "An empty field is left to the deployment."), error,
    h("div", { class: "actions" }, h("button", { class: "primary", value: "start" }, "Start"), h("button", { type: "button", onclick: () => dialog.close() }, "Cancel")));
  const dialog = h("dialog", { class: "rerun", "aria-labelledby": "rerun-title" }, form);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    start(form, recording, dialog, error);
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

async function start(form, recording, dialog, error) {
  const button = form.querySelector(".primary");
  button.disabled = true;
  error.hidden = true;
  form.querySelectorAll("[aria-invalid]").forEach((field) => field.removeAttribute("aria-invalid"));
  try {
    const started = await api.start(bodyOf(new FormData(form), recording));
    dialog.close();
    location.hash = `#/${started.id}`;
  } catch (failure) {
    Object.assign(error, { hidden: false, textContent: failure.message });
    const field = failure.param && form.elements[failure.param.split(".").at(-1)];
    field?.setAttribute?.("aria-invalid", "true");
    field?.focus?.();
  } finally {
    button.disabled = false;
  }
}

/** The body of a POST: what stands in the form, and of the recorded request whatever the form does not ask for. */
function bodyOf(given, recording) {
  const text = (name) => given.get(name).trim();
  const numbers = (names) => Object.fromEntries(names.filter((name) => text(name) !== "").map((name) => [name, Number(text(name))]));
  const search = numbers([...SEARCH, ...BUDGETS]);
  if (text("model") === "sample") delete search.cycles;
  else if (search.cycles === 0) delete search.cycles;
  return {
    model: text("model"),
    messages: [...recording.messages.slice(0, -1), { role: "user", content: given.get("instruction") }],
    ...numbers([...SAMPLING, "seed"]),
    stop: recording.settings.stop.length ? recording.settings.stop : null,
    user: recording.user,
    metadata: recording.metadata,
    darwin: { ...search, mutation: text("mutation"), profile: text("profile") },
  };
}
