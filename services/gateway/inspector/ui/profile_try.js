// Tries a version, or the text that is being written: who would have been the answer of recorded evolutions.

import * as api from "./api.js";
import { announce, count, h, section, signed, table } from "./dom.js";

const DRAFT = "draft";

export function trySection(view, signal) {
  const what = h("select", { name: "what" });
  const last = h("input", { name: "last", type: "number", min: 1, max: 50, step: 1, value: 10, required: true });
  const ids = h("input", { name: "ids", placeholder: "evo_…, evo_…", "aria-describedby": "try-ids" });
  const button = h("button", { class: "primary" }, "Try");
  const wrong = h("p", { class: "wrong", role: "alert", hidden: true });
  const told = h("p", { role: "status", class: "hint" }, "Nothing is decoded: the responses that were recorded are judged again.");
  const body = h("div");
  const attempt = async (event) => {
    event.preventDefault();
    button.disabled = true;
    wrong.hidden = true;
    told.textContent = "Judging…";
    const named = ids.value.split(/[\s,]+/).filter(Boolean);
    const tried = what.value === DRAFT ? { content: view.draft } : { version: Number(what.value) };
    try {
      const trial = await api.tryProfile(view.name, view.owner, { ...tried, ...(named.length ? { evolutions: named } : { last: Number(last.value) }) }, signal);
      told.textContent = sentence(trial);
      announce(told.textContent);
      body.replaceChildren(...shown(trial));
    } catch (error) {
      if (signal.aborted) return;
      told.textContent = "";
      Object.assign(wrong, { hidden: false, textContent: error.message });
    } finally {
      button.disabled = false;
    }
  };
  const update = () => {
    const options = [[DRAFT, "the text above"], ...view.versions.map(({ version }) => [String(version), `@${version}`])];
    const chosen = what.value || DRAFT;
    what.replaceChildren(...options.map(([value, name]) => h("option", { value, selected: value === chosen }, name)));
  };
  update();
  const element = section("try", "Try it", "Who would have been the answer, of the responses that each search had at its end.",
    h("form", { class: "fields", onsubmit: attempt },
      h("label", {}, "What", what), h("label", {}, "On the last", last),
      h("label", {}, h("span", { id: "try-ids" }, "or on these evolutions"), ids), button), wrong, told, body);
  return { element, update };
}

function sentence({ reference, summary, skipped }) {
  const { rescored, changed, approximate, reward_tokens: tokens } = summary;
  if (!rescored && !skipped.length) return "There is no evolution yet that had a choice to make.";
  const parts = [`By ${reference}, ${changed} of ${rescored} answers would have been other ones.`];
  if (approximate) parts.push(`${approximate} are approximate: what is recorded does not pick the recorded answer.`);
  if (tokens) parts.push(`Reward models computed ${count(tokens)} tokens${summary.cost === null ? "" : `, which cost ${summary.cost.toPrecision(4)}`}.`);
  if (skipped.length) parts.push(`${skipped.length} were not judged.`);
  return parts.join(" ");
}

function shown({ evolutions, skipped }) {
  const rows = evolutions.map((each) => [
    evolution(each), response(each.finals[each.answered]),
    each.changed ? response(each.finals[each.would_answer], each.fallback) : h("p", { class: "hint" }, "the same"),
    finals(each),
  ]);
  return [
    evolutions.length > 0 && h("div", { class: "trial" }, table("Answers then and now", ["Evolution", "Answered", "Would answer", "All responses"], rows)),
    skipped.length > 0 && table("Not judged", ["Evolution", "Why not"], skipped.map(({ id, reason }) => [link(id, id), reason])),
  ].filter(Boolean);
}

const link = (id, text) => h("a", { href: `#/${encodeURIComponent(id)}` }, text);

function evolution({ id, prompt, profile, changed, reproduced }) {
  return h("div", { class: "cut" }, link(id, prompt || id), h("p", { class: "hint" }, profile),
    h("p", {}, changed ? h("span", { class: "badge changed" }, "≠ another answer") : h("span", { class: "badge" }, "= the same answer"),
      !reproduced && h("span", { class: "badge" }, "≈ approximate")));
}

function response({ text, cycle, state, recorded, tried }, fallback = null) {
  const where = state === null ? "base" : `cycle ${cycle}, state ${state}`;
  return h("div", { class: "cut" }, h("p", { class: "text short" }, text || "(no text)"),
    h("p", { class: "hint" }, `${where}: `, judgement(recorded), " → ", judgement(tried)),
    fallback && h("p", { class: "hint" }, `fallback: ${fallback}`));
}

function judgement({ reward, abstained, breaks }) {
  const notes = [abstained && `abstains: ${abstained}`, breaks && `breaks ${breaks}`].filter(Boolean);
  return signed(reward) + (notes.length ? ` (${notes.join(", ")})` : "");
}

function finals({ finals: all, answered, would_answer: winner }) {
  const marks = (place) => [place === answered && "answered", place === winner && "would answer"].filter(Boolean).join(", ");
  const rows = all.map((each, place) => [
    each.state === null ? "base" : `${each.cycle}.${each.state}`, judgement(each.recorded), judgement(each.tried), marks(place)]);
  return h("details", {}, h("summary", {}, `${all.length} responses`), table("Responses", ["Response", "Then", "Now", ""], rows, [1, 2]));
}
