// Shows who was preferred to whom, where a reward compares the responses that were scored together.

import { h } from "./dom.js";

const EMPTY = "Empty: it follows from other comparisons, or was not asked.";

/**
 * A matrix for each component that compares, of one `population.scored`: rows and columns are responses, cells say in how
 * many of a hundred cases the row's is preferred to the column's. The rows of `chosen` states stand out.
 */
export function comparisonTables(scored, title, chosen = null) {
  const components = [...new Set(scored?.comparisons?.map((each) => each.component))];
  return components.map((component) => {
    const cells = scored.responses.map(() => []);
    for (const { first, second, preference } of scored.comparisons.filter((each) => each.component === component)) {
      cells[first][second] = preference;
      cells[second][first] = 1 - preference;
    }
    const names = scored.responses.map(([cycle, state]) => (state < 0 ? "base" : scored.final ? `${cycle}.${state}` : String(state)));
    const row = (name, one) => h("tr", { class: scored.responses[one][1] === chosen && !scored.final ? "chosen" : null },
      h("th", { scope: "row" }, name),
      names.map((_, other) => cell(one === other ? null : cells[one][other])));
    return h("div", { class: "scroll" }, h("table", { class: "grid comparisons" },
      h("caption", {}, `${title}: preferred by ${component}, %`),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, h("span", { class: "unseen" }, "response")), names.map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, names.map(row))),
      h("p", { class: "hint" }, "How often the row's response is preferred to the column's. ", EMPTY));
  });
}

function cell(preference) {
  if (preference === null) return h("td", { class: "number" }, "–");
  if (preference === undefined) return h("td", {});
  return h("td", { class: preference > 0.5 ? "number preferred" : "number" }, (100 * preference).toFixed(0));
}
