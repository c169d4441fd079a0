// Shows the population round by round: one grid per cycle, a row per state, a column per round.

import { comparisonTables } from "./comparisons.js";
import { count, h, section, signed } from "./dom.js";
import { fateOf } from "./history.js";
import { stateCard } from "./state.js";

const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

export function populationSection(view) {
  const grids = h("div", { class: "grids" });
  const panel = h("div", { class: "panel", "aria-live": "polite" });
  const hint = "Choose a state by click or Enter, move with the arrow keys. ● survives, ← takes a donor's response, ■ finished, ✕ dropped for good, ? its reward is not trusted.";
  const element = section("population", "Population", hint, h("div", { class: "population" }, grids, panel));

  const update = () => {
    const focused = document.activeElement?.closest?.("#population [data-at]")?.dataset.at;
    grids.replaceChildren(...view.history.cycles.filter((cycle) => cycle.rounds.length).map((cycle) => grid(cycle, view)));
    if (!grids.children.length) grids.replaceChildren(h("p", { class: "empty" }, emptiness(view)));
    const cells = [...grids.querySelectorAll("button")];
    const chosen = cells.find((cell) => cell.dataset.at === view.at);
    (chosen ?? cells[0])?.setAttribute("tabindex", "0");
    chosen?.setAttribute("aria-pressed", "true");
    if (focused) cells.find((cell) => cell.dataset.at === focused)?.focus();
    panel.replaceChildren(stateCard(view));
  };
  grids.addEventListener("keydown", (event) => move(event, grids));
  update();
  return { element, update };
}

function emptiness(view) {
  if (view.ended) return "This evolution has no rounds: nothing was replaced on the way.";
  return "The first round is still being decoded.";
}

function grid(cycle, view) {
  const states = cycle.rounds[0].states.map((each) => each.state);
  return h("div", { class: "scroll" }, h("table", { class: "grid" },
    h("caption", {}, `Cycle ${cycle.number}`),
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "state"), cycle.rounds.map((round) => h("th", { scope: "col" }, `${cycle.number}.${round.round}`, settledBy(round))), h("th", { scope: "col" }, "final"))),
    h("tbody", {}, states.map((state) => h("tr", {},
      h("th", { scope: "row" }, h("span", { class: `writer writer-${state % 8}` }, state)),
      cycle.rounds.map((round) => h("td", {}, cell(round.states[state], view))),
      h("td", { class: "number" }, cycle.end && !cycle.rounds.at(-1).states[state].dropped ? signed(cycle.end.rewards[state]) : "–"))))),
    comparisonTables(cycle.compared.find((each) => each.final), `All that may answer after cycle ${cycle.number}`),
    outlook(cycle.end?.outlook));
}

/** What a further cycle promised, and what followed from that; nothing where it had no price. */
function outlook(promise) {
  if (!promise) return null;
  const decision = promise.gain >= promise.price ? "the search went on" : "the search stopped: the gain was unlikely";
  return h("p", { class: "hint outlook" }, `A further cycle was expected to gain ${signed(promise.gain)}; its ${count(Math.round(promise.tokens))} tokens cost ${promise.price.toFixed(3)}: ${decision}.`);
}

function settledBy(round) {
  return round.settled ? h("span", { class: "mark", title: `The first ${round.settled} characters of the answer are settled.` }, " ✓") : null;
}

export const keyOf = ({ cycle, round, state }) => `${cycle}.${round}.${state}`;

function cell(state, view) {
  const mark = [state.survives && "●", state.donor !== null && `←${state.donor}`, state.dropped ? "✕" : state.finished && "■", state.abstained && "?", state.breaks && "!"].filter(Boolean).join(" ");
  const kind = state.survives ? "survives" : state.donor !== null || state.dropped ? "replaced" : "kept";
  return h("button", {
    type: "button", class: `cell ${kind}`, tabindex: -1, "aria-pressed": "false", data: { at: keyOf(state) },
    "aria-label": `state ${state.state}, round ${state.cycle}.${state.round}, reward ${signed(state.reward)}, ${fateOf(state)}`,
    onclick: () => view.select(state),
  }, h("span", { class: "mark" }, mark), state.reward === null ? "thinks" : signed(state.reward));
}

/** Moves the focus by an arrow key, over all grids as if they were one, cycle after cycle. */
function move(event, grids) {
  const step = STEPS[event.key];
  if (!step || !event.target.dataset.at) return;
  event.preventDefault();
  const columns = [...grids.querySelectorAll(".grid")].flatMap((table) => columnsOf(table));
  const column = columns.findIndex((cells) => cells.includes(event.target));
  const row = columns[column].indexOf(event.target);
  const next = columns[column + step[1]]?.[row + step[0]];
  if (!next) return;
  event.target.setAttribute("tabindex", "-1");
  next.setAttribute("tabindex", "0");
  next.focus();
}

function columnsOf(table) {
  const rows = [...table.tBodies[0].rows].map((row) => [...row.querySelectorAll("button")]);
  return rows[0].map((_, column) => rows.map((row) => row[column]));
}
