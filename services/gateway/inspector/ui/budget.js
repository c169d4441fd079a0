// Shows what the search has cost, beside its budgets.

import { count, h, seconds, section, table } from "./dom.js";

export function budgetSection(view) {
  const body = h("div", {});
  const update = () => body.replaceChildren(...[limits(view), spent(view), busy(view)].filter(Boolean));
  update();
  return { element: section("budget", "Budget", "", body), update };
}

const sum = (values) => values.reduce((total, value) => total + value, 0);

function calls(view, stage) {
  return view.recording.attempts.flatMap((attempt) => attempt.calls).filter((call) => call.stage === stage);
}

function generated(view) {
  const { result } = view.recording;
  return result ? result.tokens.generated : sum([...calls(view, "mutation"), ...calls(view, "generation")].map((call) => call.tokens));
}

function limits(view) {
  const { settings, result } = view.recording;
  const elapsed = result ? result.seconds.total : Math.max(0, (view.recording.finished_at ?? Date.now() / 1000) - view.recording.created_at);
  const rows = [
    ["tokens sampled", generated(view), settings.max_generated_tokens, count],
    ["responses scored", sum(calls(view, "reward").map((call) => call.parts.length)), settings.max_reward_calls, count],
    ["time", elapsed, settings.deadline_ms && settings.deadline_ms / 1000, seconds],
  ];
  return h("dl", { class: "limits" }, rows.flatMap(([name, value, limit, format]) => [
    h("dt", {}, name),
    h("dd", {}, h("b", {}, format(value)), limit ? ` of ${format(limit)}` : " (no limit)",
      limit ? h("meter", { value, max: limit, "aria-label": `${name}: ${format(value)} of ${format(limit)}` }) : null),
  ]));
}

function spent(view) {
  const { result } = view.recording;
  if (!result) return h("p", { class: "hint" }, "Tokens by stage are shown at the end.");
  const { tokens } = result;
  return table("Tokens by stage", ["tokens", ""], [
    ["mutants", count(tokens.mutation)], ["kept in final responses", count(tokens.kept)], ["discarded by replacement", count(tokens.discarded)],
    ["computed for rewards", count(tokens.reward)], ["cached prefix", count(tokens.cached)],
  ], [1]);
}

function busy(view) {
  const { result } = view.recording;
  if (!result) return null;
  const { mutation, generation, reward, total } = result.seconds;
  return table("Seconds by stage", ["busy (stages overlap)", ""], [
    ["mutation", seconds(mutation)], ["generation", seconds(generation)], ["reward", seconds(reward)], ["total", seconds(total)],
  ], [1]);
}
