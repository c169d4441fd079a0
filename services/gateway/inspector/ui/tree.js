// Shows the instructions as a tree: the original one, its mutants, and their mutants, with the reward of each.

import { h, section, signed } from "./dom.js";
import { treeOf } from "./history.js";
import { plain, plot } from "./plots.js";

export function treeSection(view, signal) {
  const area = h("div", { class: "plot" });
  const list = h("ul", { class: "tree", role: "tree", "aria-label": "Mutants" });
  const element = section("archive", "Archive", "Each mutant below its parent, coloured by reward. ★ in the archive now, ✓ the answer's.", h("div", { class: "archive" }, area, list));
  const nodes = () => treeOf(view.history, view.instruction, view.recording.result?.choices[0]);
  const drawing = plot(area, (theme) => figure(nodes(), theme), signal);
  list.addEventListener("keydown", walk);
  const update = () => {
    const focused = [...list.children].indexOf(document.activeElement);
    const found = nodes();
    list.replaceChildren(...found.map((node) => item(node, found)));
    const current = list.children[Math.max(0, focused)];
    current?.setAttribute("tabindex", "0");
    if (focused >= 0) current?.focus();
    drawing.update();
  };
  update();
  return { element, update };
}

const marks = (node) => `${node.archived ? "★" : ""}${node.answered ? "✓" : ""}`;

function figure(nodes, theme) {
  const rewards = nodes.map((node) => node.reward).filter((reward) => reward !== null);
  return {
    data: [{
      type: "icicle", tiling: { orientation: "h" }, pathbar: { visible: false }, branchvalues: "remainder", sort: false,
      ids: nodes.map((node) => node.id), parents: nodes.map((node) => node.parent), labels: nodes.map((node) => plain(node.label, 24)),
      text: nodes.map((node) => `${signed(node.reward)} ${marks(node)}`), texttemplate: "%{label}  %{text}",
      hovertext: nodes.map((node) => `${plain(node.text, 300).replace(/(.{60}\S*)\s/g, "$1<br>")}<br>reward ${signed(node.reward)}`), hoverinfo: "text",
      marker: {
        colors: nodes.map((node) => node.reward), colorscale: [[0, theme.low], [1, theme.high]], cmin: Math.min(...rewards, 0), cmax: Math.max(...rewards, 0.001),
        line: { width: 2, color: theme.card },
      },
      insidetextfont: { size: 13, color: theme.ink },
    }],
    layout: { margin: { l: 0, r: 0, t: 0, b: 0 } },
    label: `Tree of ${nodes.length} instructions; the list beside it says the same`,
  };
}

function item(node, nodes) {
  const parent = nodes.find((each) => each.id === node.parent);
  return h("li", { role: "treeitem", "aria-level": node.depth + 1, tabindex: -1, class: `depth-${Math.min(node.depth, 8)}`, data: { node: node.id } },
    h("span", { class: "reward" }, signed(node.reward)),
    h("span", { class: "mark", "aria-hidden": "true" }, marks(node)),
    h("span", { class: "label" }, node.cycle ? `${node.id} ${node.label}` : node.label),
    node.archived && h("span", { class: "unseen" }, "in the archive"), node.answered && h("span", { class: "unseen" }, "the answer's"),
    h("span", { class: "text" }, parent ? withoutParent(node.text, parent.text) : node.text));
}

/** The text of a mutant without that of its parent, to which it mostly adds a line. */
function withoutParent(text, parent) {
  return text.length > parent.length && text.startsWith(parent) ? `… ${text.slice(parent.length).trim()}` : text;
}

function walk(event) {
  const items = [...event.currentTarget.children];
  const at = items.indexOf(event.target);
  const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
  if (next === undefined || !items[next]) return;
  event.preventDefault();
  items[at].setAttribute("tabindex", "-1");
  items[next].setAttribute("tabindex", "0");
  items[next].focus();
}
