// Plots the reward of every state over the rounds: which states survived, and which took a donor's response.

import { h, section } from "./dom.js";
import { roundsOf } from "./history.js";
import { axis, plot } from "./plots.js";

export function rewardsSection(view, signal) {
  const area = h("div", { class: "plot tall" });
  const element = section("rewards", "Rewards", "A colour is a state. Dotted: from a donor to the state that took its response.", area);
  const drawing = plot(area, (theme) => figure(view.history, theme), signal, (point) => point.customdata && view.select(point.customdata));
  return { element, update: drawing.update };
}

function figure(history, theme) {
  const rounds = roundsOf(history);
  const states = Math.max(0, ...rounds.map((round) => round.states.length));
  const numbers = Array.from({ length: states }, (_, state) => state);
  const data = [
    ...numbers.map((state) => line(rounds, state, theme)),
    ...numbers.map((state) => replacementLines(rounds, state, theme)),
    ...marks(rounds, "survives", (each) => each.survives, theme, { symbol: "circle", size: 10 }),
    ...marks(rounds, "replaced", (each) => each.donor !== null, theme, { symbol: "x-thin-open", size: 8, line: { width: 2 } }),
    ...(rounds.at(-1)?.states.some((each) => each.dropped) ? marks(rounds, "dropped", (each) => each.dropped, theme, { symbol: "square-open", size: 8, line: { width: 2 } }) : []),
    ...marks(rounds, "finished, kept", (each) => !each.survives && !each.dropped && each.donor === null, theme, { symbol: "circle-open", size: 8, line: { width: 2 } }),
    ...finals(history, rounds, theme),
  ];
  const ticks = rounds.map((round) => `${round.cycle}.${round.round}`);
  const every = Math.ceil(ticks.length / 24);
  const shapes = history.base ? [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: history.base.reward, y1: history.base.reward, line: { color: theme.faint, dash: "dash", width: 1.5 } }] : [];
  const annotations = history.base ? [{ xref: "paper", x: 1, y: history.base.reward, text: "base", showarrow: false, yshift: 8, xanchor: "right", font: { color: theme.faint } }] : [];
  return {
    data,
    layout: {
      xaxis: axis(theme, "cycle.round", { tickvals: ticks.map((_, i) => i).filter((i) => i % every === 0), ticktext: ticks.filter((_, i) => i % every === 0), showgrid: false }),
      yaxis: axis(theme, "reward"), shapes, annotations, hovermode: "closest",
    },
    label: `Rewards of ${states} states over ${rounds.length} rounds`,
  };
}

const colour = (theme, state) => theme.writers[state % theme.writers.length];

/** The rewards of one state: a line that breaks where the state takes a donor's response or a cycle ends. */
function line(rounds, state, theme) {
  const [x, y] = [[], []];
  rounds.forEach((round, at) => {
    const each = round.states[state];
    if (!each) return;
    x.push(at);
    y.push(each.reward);
    if (each.donor !== null || rounds[at + 1]?.cycle !== round.cycle) {
      x.push(at);
      y.push(null);
    }
  });
  return { x, y, mode: "lines", line: { color: colour(theme, state), width: 2 }, showlegend: false, hoverinfo: "skip" };
}

/** Lines from the reward of each donor to the reward that the state has one round later. */
function replacementLines(rounds, state, theme) {
  const [x, y] = [[], []];
  rounds.forEach((round, at) => {
    const donor = round.states[state]?.donor ?? null;
    const next = rounds[at + 1];
    if (donor === null || next?.cycle !== round.cycle) return;
    x.push(at, at + 1, null);
    y.push(round.states[donor].reward, next.states[state].reward, null);
  });
  return { x, y, mode: "lines", line: { color: colour(theme, state), width: 1.5, dash: "dot" }, showlegend: false, hoverinfo: "skip" };
}

function marks(rounds, name, matches, theme, marker) {
  const points = rounds.flatMap((round, at) => round.states.filter(matches).map((each) => ({ at, each })));
  return [legend(name, marker, theme), {
    mode: "markers", showlegend: false,
    x: points.map(({ at }) => at), y: points.map(({ each }) => each.reward),
    marker: { ...marker, color: points.map(({ each }) => colour(theme, each.state)) },
    customdata: points.map(({ each }) => ({ cycle: each.cycle, round: each.round, state: each.state })),
    text: points.map(({ each }) => `state ${each.state}, round ${each.cycle}.${each.round}${each.donor === null ? "" : `, took ${each.donor}`}`),
    hovertemplate: "%{text}<br>reward %{y:.3f}<extra></extra>",
  }];
}

/** An entry of the legend, in a colour that no state has. */
function legend(name, marker, theme) {
  return { name, mode: "markers", x: [null], y: [null], marker: { ...marker, color: theme.faint }, hoverinfo: "skip" };
}

/** The rewards of the final responses, at the end of each cycle. */
function finals(history, rounds, theme) {
  const ends = history.cycles.filter((cycle) => cycle.end && cycle.rounds.length);
  const points = ends.flatMap((cycle) => cycle.end.rewards.map((reward, state) => ({ at: rounds.indexOf(cycle.rounds.at(-1)) + 0.35, reward, state, cycle: cycle.number })).filter(({ state }) => !cycle.rounds.at(-1).states[state].dropped));
  const marker = { symbol: "diamond", size: 8 };
  return points.length ? [legend("final", marker, theme), {
    mode: "markers", showlegend: false, x: points.map(({ at }) => at), y: points.map(({ reward }) => reward),
    marker: { ...marker, color: points.map(({ state }) => colour(theme, state)) },
    text: points.map(({ state, cycle }) => `state ${state}, final of cycle ${cycle}`), hovertemplate: "%{text}<br>reward %{y:.3f}<extra></extra>",
  }] : [];
}
