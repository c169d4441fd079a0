// What differs between two versions of a profile, or a version and the text that is being written.

import { h, section } from "./dom.js";

const DRAFT = "draft";
const MOST = 4_000_000;
const marked = (mark, lines) => lines.map((text) => ({ mark, text }));

export function diffSection(view) {
  const choice = (name) => h("select", { name, onchange: () => show() });
  const [before, after] = [choice("before"), choice("after")];
  const body = h("div", { class: "diff", tabindex: 0, role: "group", "aria-label": "Difference" });
  const textOf = (value) => (value === DRAFT ? view.draft : view.contentOf(Number(value)));
  const linesOf = (value) => textOf(value).replace(/\n$/, "").split("\n");
  const show = () => {
    const lines = lineDiff(linesOf(before.value), linesOf(after.value));
    const changed = lines.some(({ mark }) => mark !== " ");
    body.replaceChildren(...(changed ? lines.map(line) : [h("p", { class: "hint" }, "They are the same.")]));
  };
  const update = () => {
    element.hidden = !view.profile;
    if (!view.profile) return;
    const latest = String(view.profile.latest);
    const first = before.value || String(view.profile.promoted);
    fill(before, view.versions, first);
    fill(after, view.versions, after.value || (first === latest ? DRAFT : latest), true);
    show();
  };
  const element = section("diff", "Difference", "Lines marked − stand in the first only, + in the second only.",
    h("div", { class: "fields" }, h("label", {}, "From", before), h("label", {}, "To", after),
      h("button", { type: "button", onclick: show }, "Compare")), body);
  update();
  return { element, update };
}

function fill(select, versions, chosen, withDraft = false) {
  const options = versions.map(({ version }) => [String(version), `@${version}`]);
  if (withDraft) options.unshift([DRAFT, "the text above"]);
  select.replaceChildren(...options.map(([value, name]) => h("option", { value, selected: value === chosen }, name)));
}

function line({ mark, text }) {
  const tag = { "+": "ins", "\u2212": "del", " ": "span" }[mark];
  return h(tag, { class: "line" }, h("span", { class: "mark" }, mark), text || " ");
}

/** The lines of two texts in reading order, by their longest common subsequence; of texts that are very long, all of both. */
export function lineDiff(before, after) {
  if (before.length * after.length > MOST) return [...marked("\u2212", before), ...marked("+", after)];
  const common = Array.from({ length: before.length + 1 }, () => new Uint16Array(after.length + 1));
  for (let i = before.length - 1; i >= 0; i -= 1) {
    for (let j = after.length - 1; j >= 0; j -= 1) {
      common[i][j] = before[i] === after[j] ? common[i + 1][j + 1] + 1 : Math.max(common[i + 1][j], common[i][j + 1]);
    }
  }
  const lines = [];
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) {
      lines.push({ mark: " ", text: before[i] });
      [i, j] = [i + 1, j + 1];
    } else if (i < before.length && (j === after.length || common[i + 1][j] >= common[i][j + 1])) {
      lines.push({ mark: "\u2212", text: before[i] });
      i += 1;
    } else {
      lines.push({ mark: "+", text: after[j] });
      j += 1;
    }
  }
  return lines;
}
