// Shows one evolution in sections, which are kept up to date while it runs.

import * as api from "./api.js";
import { answersSection } from "./answers.js";
import { budgetSection } from "./budget.js";
import { creditSection } from "./credit.js";
import { announce, h, signed } from "./dom.js";
import { heading } from "./heading.js";
import { bestOf, historyOf, roundsOf } from "./history.js";
import { keyOf, populationSection } from "./population.js";
import { rewardsSection } from "./rewards.js";
import { treeSection } from "./tree.js";
import { instructionIndex } from "./turns.js";
import { waterfallSection } from "./waterfall.js";

const SECTIONS = [rewardsSection, budgetSection, answersSection, populationSection, treeSection, creditSection, waterfallSection];
const TERMINAL = ["succeeded", "failed", "cancelled"];

/** What the sections show: the recording as it was last read, and the history of the events, which may be ahead of it. */
class View {
  constructor(recording, viewer, at) {
    Object.assign(this, { recording, viewer, at, events: recording.events });
    this.history = historyOf(this.events);
    this.sections = [];
    this.at ??= this.#first();
  }

  get ended() {
    return TERMINAL.includes(this.recording.status);
  }

  get instruction() {
    return this.recording.messages[instructionIndex(this.recording.messages)].content;
  }

  select(state) {
    this.at = keyOf(state);
    history.replaceState(null, "", `#/${this.recording.id}?at=${this.at}`);
    for (const section of this.sections.filter((each) => each.element.id === "population")) section.update();
  }

  update(recording, events) {
    this.recording = recording;
    if (events.length > this.events.length) this.events = [...events];
    if (recording.events.length > this.events.length) this.events = recording.events;
    this.history = historyOf(this.events);
    this.at ??= this.#first();
    for (const section of this.sections) section.update();
  }

  /** The state shown until the user chooses one: that which gave the answer, else the best of the last round. */
  #first() {
    const answer = this.recording.result?.choices[0];
    const rounds = this.history.cycles.find((cycle) => cycle.number === answer?.cycle)?.rounds;
    const answering = rounds?.at(-1)?.states[answer.state];
    if (answering) return keyOf(answering);
    const states = roundsOf(this.history).at(-1)?.states;
    return states && keyOf(states.reduce((best, each) => (each.reward > best.reward ? each : best)));
  }
}

export async function showEvolution(main, id, query, viewerPromise, signal) {
  if (main.querySelector(".loading") === null) main.replaceChildren(h("p", { class: "loading", role: "status" }, "Loading…"));
  const [recording, viewer] = await Promise.all([api.recording(id, signal), viewerPromise]);
  const view = new View(recording, viewer, query.get("at") ?? undefined);
  if (signal.aborted) return;
  document.title = `${view.instruction.slice(0, 60)} · Darwin inspector`;
  const lost = h("p", { class: "notice", role: "status", hidden: true }, "The connection was lost; trying again…");
  view.sections = [heading(view), ...SECTIONS.map((make) => make(view, signal))];
  main.replaceChildren(lost, h("div", { class: "evolution" }, view.sections.map((section) => section.element)));
  performance.mark("text shown");
  if (!view.ended) await live(view, lost, signal);
}

/** Follows the events, and reads the recording again after each one; there is one such read at a time. */
async function live(view, lost, signal) {
  const events = [];
  let reading = null;
  let stale = false;
  const read = async () => {
    do {
      stale = false;
      view.update(await api.recording(view.recording.id, signal), events);
    } while (stale && !signal.aborted);
    reading = null;
  };
  const refresh = () => {
    stale = true;
    reading ??= read().catch(() => (reading = null));
  };
  const onevent = (event) => {
    events.push(event);
    lost.hidden = true;
    if (events.length <= view.events.length) return;
    if (event.type === "round.finished") announce(`Round ${event.cycle}.${event.round} finished, best so far ${signed(bestOf(view.history))}`);
    refresh();
  };
  await api.follow(view.recording.id, onevent, () => (lost.hidden = signal.aborted), signal);
  await reading;
  while (!view.ended && !signal.aborted) {
    refresh();
    await reading;
  }
  lost.hidden = true;
  announce(`The evolution has ${view.recording.status === "succeeded" ? "succeeded" : `ended: ${view.recording.status}`}`);
}
