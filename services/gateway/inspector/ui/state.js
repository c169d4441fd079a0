// Shows one state in one round: its reward, its mutant, what happened to it, and which state wrote which piece of its text;
// and who was preferred to whom in that round.

import { comparisonTables } from "./comparisons.js";
import { h, signed } from "./dom.js";
import { fateOf } from "./history.js";

export function stateCard(view) {
  const [cycle, round, state] = (view.at ?? "").split(".").map(Number);
  const found = view.history.cycles.find((each) => each.number === cycle);
  const chosen = found?.rounds.find((each) => each.round === round)?.states[state];
  if (!chosen) return h("p", { class: "empty" }, "No state is chosen.");
  const mutant = found.mutants[state];
  return h("article", { class: "card state", data: { shown: view.at } },
    h("h3", {}, h("span", { class: `writer writer-${state % 8}` }, state), ` State ${state} in round ${cycle}.${round}`),
    h("dl", { class: "facts" },
      h("dt", {}, "reward"), h("dd", {}, chosen.reward === null ? "none while it thinks" : signed(chosen.reward)),
      h("dt", {}, "fate"), h("dd", {}, fateOf(chosen)),
      chosen.weight === null ? null : [h("dt", {}, "weight"), h("dd", {}, `${(100 * chosen.weight).toFixed(1)} %`)],
      h("dt", {}, "mutant"), h("dd", {}, mutant ? [h("span", { class: "badge" }, `${mutant.operator || mutant.source}`), h("p", { class: "text mutant" }, mutant.text)] : "not recorded")),
    chosen.thought ? [h("h4", {}, "Thought"), h("p", { class: "text hint thought" }, chosen.thought)] : null,
    h("h4", {}, "Text so far"), textOf(chosen.pieces),
    chosen.donor === null ? null : replacement(found, chosen),
    comparisonTables(found.compared.find((each) => each.round === round && !each.final), `Round ${cycle}.${round}`, state));
}

function replacement(cycle, chosen) {
  const donor = cycle.rounds.find((each) => each.round === chosen.round).states[chosen.donor];
  return h("div", { class: "replacement" },
    h("h4", {}, "Replaced by the response of state ", h("span", { class: `writer writer-${donor.state % 8}` }, donor.state), ` (reward ${signed(donor.reward)})`),
    textOf(donor.pieces));
}

/** Pieces in the colours of the states that wrote them, and numbered, for readers who cannot distinguish the colours. */
function textOf(pieces) {
  if (!pieces.length) return h("p", { class: "text hint" }, "(empty)");
  return h("p", { class: "text written" }, pieces.map((piece) =>
    h("span", { class: `piece writer-${piece.state % 8}`, data: { writer: piece.state }, title: `written by state ${piece.state} in round ${piece.cycle}.${piece.round}` },
      h("sup", { "aria-label": `state ${piece.state}:` }, piece.state), piece.text)));
}
