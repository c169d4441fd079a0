// Shows where the time went: every call of every attempt, from acceptance on.

import { count, h, seconds, section, table } from "./dom.js";
import { axis, plain, plot } from "./plots.js";

const STAGES = ["mutation", "generation", "reward"];

export function waterfallSection(view, signal) {
  const area = h("div", { class: "plot" });
  const rows = h("div", {});
  const hint = "A row per attempt of a task. Hatched: an attempt whose worker was lost; its round was repeated.";
  const element = section("waterfall", "Where the time went", hint, area, h("details", {}, h("summary", {}, "Every call as a table"), rows));
  const drawing = plot(area, (theme) => figure(view.recording, theme), signal);
  const update = () => {
    area.style.setProperty("--rows", lanes(view.recording).length);
    rows.replaceChildren(calls(view.recording));
    drawing.update();
  };
  update();
  return { element, update };
}

/** The rows from the top: each attempt comes after the lost attempts at the same version. */
function lanes({ attempts }) {
  return attempts.flatMap((attempt, index) => {
    const name = attempt.cycle ? `round ${attempt.cycle}.${attempt.round}` : "begin";
    const again = attempt.error ? " ✕" : attempt.after ? " ↻" : "";
    const lost = attempt.lost.map((each) => ({ id: each.id, name: `${name} lost`, from: each.started_at, to: attempt.started_at, calls: [], lost: true }));
    return [...lost, { id: `${index}`, name: name + again, from: attempt.started_at, to: attempt.ended_at, calls: attempt.calls.map((call) => ended(call, attempts[index + 1])), attempt }];
  });
}

/** The call; one that was under way when its attempt was saved, and that the next knows nothing of, ended with its worker. */
function ended(call, next) {
  const lost = call.goes_on && next && !next.calls.some((piece) => piece.span_id === call.span_id);
  return lost ? { ...call, goes_on: false, error: "worker lost" } : call;
}

function title(call) {
  return `${call.stage}${call.final ? " (final)" : ""}${call.goes_on ? " (goes on)" : ""}`;
}

function figure(recording, theme) {
  const all = lanes(recording);
  const since = recording.created_at;
  const bars = (name, items, marker, more = {}) => ({
    name, type: "bar", orientation: "h", base: items.map((item) => item.from - since), x: items.map((item) => item.to - item.from),
    y: items.map((item) => item.row), width: items.map((item) => item.width), marker, text: items.map((item) => item.hover), textposition: "none",
    hovertemplate: "%{text}<extra></extra>", showlegend: items.length > 0, ...more,
  });
  const whole = all.map((lane, row) => ({ ...lane, row, width: 0.86, hover: `${plain(lane.name)}<br>${seconds(lane.to - lane.from)}${lane.attempt?.error ? `<br>${plain(lane.attempt.error.message)}` : ""}` }));
  const ofStage = (stage, at) => whole.flatMap((lane) => lane.calls.filter((call) => call.stage === stage).map((call) => ({
    from: call.started_at, to: call.ended_at, row: lane.row + (at - 1) * 0.26, width: 0.24, hover: `${title(call)}, ${seconds(call.ended_at - call.started_at)}<br>${call.parts.length} results, ${count(call.tokens)} tokens${call.error ? `<br>${plain(call.error)}` : ""}`,
  })));
  return {
    data: [
      bars("attempt", whole.filter((lane) => !lane.lost), { color: theme.line }, { opacity: 0.6 }),
      bars("lost attempt", whole.filter((lane) => lane.lost), { color: theme.card, line: { color: theme.wrong, width: 1 }, pattern: { shape: "/", fgcolor: theme.wrong } }),
      ...STAGES.map((stage, at) => bars(stage, ofStage(stage, at), { color: theme.stages[stage] })),
    ],
    layout: {
      barmode: "overlay", margin: { l: 96, r: 12, t: 8, b: 40 },
      xaxis: axis(theme, "seconds since acceptance", { rangemode: "tozero" }),
      yaxis: { autorange: "reversed", tickvals: whole.map((lane) => lane.row), ticktext: whole.map((lane) => plain(lane.name)), showgrid: false, zeroline: false },
    },
    label: `Waterfall of ${all.length} attempts; the table below says the same`,
  };
}

function calls(recording) {
  const since = recording.created_at;
  const rows = lanes(recording).flatMap((lane) => (lane.lost
    ? [[lane.name, "–", seconds(lane.from - since), seconds(lane.to - lane.from), "–", "–", "worker lost"]]
    : lane.calls.map((call) => [lane.name, title(call), seconds(call.started_at - since), seconds(call.ended_at - call.started_at),
      count(call.parts.length), count(call.tokens), call.error ?? lane.attempt.error?.code ?? ""])));
  if (!rows.length) return h("p", { class: "empty" }, "No call is recorded yet.");
  return table("Calls", ["attempt", "stage", "began after", "took", "results", "tokens", "error"], rows, [2, 3, 4, 5]);
}
