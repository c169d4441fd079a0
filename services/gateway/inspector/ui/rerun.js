// "Run again with…": a new evolution from this one's conversation, with settings changed.

import * as api from "./api.js";
import { h } from "./dom.js";
import { fieldsOf, messageOf } from "./request.js";
import { instructionIndex } from "./turns.js";

const SAMPLING = ["max_tokens", "temperature", "top_p", "top_k", "n"];
// The form asks for these otherwise, or not: all settings are filled in, so a preset would change nothing, and nothing is
// streamed.
const APART = ["preset", "profile", "progress"];

export async function openRerun(view) {
  const { recording } = view;
  const { settings } = recording;
  const [methods, search] = await Promise.all([api.methods(), api.settings()]);
  APART.forEach((name) => delete search[name]);
  const error = h("p", { class: "wrong", role: "alert", hidden: true });
  const number = (name, value = settings[name], title = null) =>
    h("label", { title }, name.replaceAll("_", " "), h("input", { name, type: "number", step: "any", value }));
  const choice = (name, options, value, title = null) =>
    h("label", { title }, name, h("select", { name }, options.map((option) => h("option", { selected: option === value }, option))));
  const setting = ([name, schema]) =>
    schema.enum ? choice(name, schema.enum, settings[name], schema.description) : number(name, settings[name], schema.description);
  const form = h("form", { method: "dialog" },
    h("h2", { id: "rerun-title" }, "Run again with…"),
    h("label", {}, "instruction", h("textarea", { name: "instruction", rows: 4, required: true }, view.instruction)),
    h("div", { class: "fields" },
      choice("model", methods, recording.method), Object.entries(search).map(setting),
      SAMPLING.map((name) => number(name)), number("seed", settings.seeded ? settings.seed : ""),
      h("label", {}, "profile", h("input", { name: "profile", value: settings.profile }))),
    h("p", { class: "hint" }, "An empty field is left to the deployment."), error,
    h("div", { class: "actions" }, h("button", { class: "primary", value: "start" }, "Start"), h("button", { type: "button", onclick: () => dialog.close() }, "Cancel")));
  const dialog = h("dialog", { class: "rerun", "aria-labelledby": "rerun-title" }, form);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    start(form, recording, search, dialog, error);
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

async function start(form, recording, search, dialog, error) {
  const button = form.querySelector(".primary");
  button.disabled = true;
  error.hidden = true;
  form.querySelectorAll("[aria-invalid]").forEach((field) => field.removeAttribute("aria-invalid"));
  try {
    const started = await api.start(bodyOf(new FormData(form), recording, search));
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
function bodyOf(given, recording, schemas) {
  const text = (name) => given.get(name).trim();
  const at = instructionIndex(recording.messages);
  const numbers = (names) => Object.fromEntries(names.filter((name) => text(name) !== "").map((name) => [name, Number(text(name))]));
  const [chosen, counted] = [[], []];
  for (const [name, schema] of Object.entries(schemas)) (schema.enum ? chosen : counted).push(name);
  const search = { ...numbers(counted), ...Object.fromEntries(chosen.map((name) => [name, text(name)])) };
  if (text("model") === "sample" || search.cycles === 0) delete search.cycles;
  return {
    model: text("model"),
    messages: recording.messages.map(messageOf).map((message, index) => (index === at ? { ...message, content: given.get("instruction") } : message)),
    ...numbers([...SAMPLING, "seed"]),
    ...fieldsOf(recording),
    darwin: { ...search, profile: text("profile") },
  };
}
