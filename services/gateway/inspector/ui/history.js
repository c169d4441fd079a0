// Turns the events of an evolution into cycles, rounds and states; pure.

/**
 * A piece of a response is a `text` that was sampled by `state` in `round` of its cycle. A response in round r begins with
 * the text that its state held after round r-1, so texts and replacements say which state wrote what.
 */

/** The whole history. `cycles` hold `rounds`, whose `states` are those before replacement. */
export function historyOf(events) {
  const history = { base: null, cycles: [], end: null, withheld: [] };
  const cycle = (number) => history.cycles.find((each) => each.number === number);
  for (const event of events) {
    switch (event.type) {
      case "wishes.withheld":
        history.withheld = event.wishes;
        break;
      case "base.scored":
        history.base = event;
        break;
      case "cycle.started":
        history.cycles.push({ number: event.cycle, parent: event.parent, mutants: [], rounds: [], compared: [], held: [], end: null });
        break;
      case "mutant.accepted":
        cycle(event.cycle).mutants[event.state] = event;
        break;
      case "population.scored":
        cycle(event.cycle).compared.push(event);
        break;
      case "round.finished":
        addRound(cycle(event.cycle), event);
        break;
      case "cycle.finished":
        cycle(event.cycle).end = event;
        break;
      case "evolution.ended":
        history.end = event;
    }
  }
  return history;
}

export const roundsOf = (history) => history.cycles.flatMap((cycle) => cycle.rounds);

/** The archive after the last cycle that ended; empty before that. */
export const archiveOf = (history) => history.cycles.findLast((cycle) => cycle.end)?.end.archive ?? [];

/** The best reward of a final response so far, the base response's included. */
export function bestOf(history) {
  const rewards = history.cycles.filter((cycle) => cycle.end).map((cycle) => cycle.end.best_reward);
  return history.base ? Math.max(history.base.reward, ...rewards) : rewards.at(-1) ?? null;
}

function addRound(cycle, event) {
  const donors = new Map(event.replacements.map(({ state, donor }) => [state, donor]));
  const states = event.texts.map((text, state) => ({
    cycle: event.cycle,
    round: event.round,
    state,
    text,
    reward: event.rewards[state],
    thought: event.reasoning?.[state] ?? "",
    pieces: piecesOf(cycle.held[state] ?? [], text, { cycle: event.cycle, round: event.round, state }),
    donor: donors.get(state) ?? null,
    survives: event.survivors.includes(state),
    finished: event.finished[state],
    weight: event.weights?.length ? event.weights[state] : null,
    abstained: event.abstained?.[state] ?? "",
    breaks: event.breaks?.[state] ?? "",
    dropped: event.dropped?.includes(state) ?? false,
  }));
  cycle.held = states.map((each) => (each.donor === null ? each : states[each.donor]).pieces);
  cycle.rounds.push({ cycle: event.cycle, round: event.round, tokens: event.tokens, settled: event.settled ?? 0, states });
}

/** The pieces of `held` that `text` still begins with (lookahead is thrown away), then a piece by `author` with the rest. */
function piecesOf(held, text, author) {
  const pieces = [];
  let at = 0;
  for (const piece of held) {
    const shared = sharedLength(piece.text, text, at);
    if (shared) pieces.push({ ...piece, text: piece.text.slice(0, shared) });
    at += shared;
    if (shared < piece.text.length) break;
  }
  return at < text.length ? [...pieces, { ...author, text: text.slice(at) }] : pieces;
}

function sharedLength(piece, text, at) {
  if (text.startsWith(piece, at)) return piece.length;
  let length = 0;
  while (length < piece.length && piece[length] === text[at + length]) length += 1;
  return length;
}

/** What happened to a state at the end of its round, in words. */
export function fateOf(state) {
  const parts = [state.survives && "survives", state.donor !== null && `takes ${state.donor}`, state.dropped ? "dropped" : state.finished && "finished", state.abstained && `its reward is not trusted: ${state.abstained}`, state.breaks && `breaks ${state.breaks}`];
  return parts.filter(Boolean).join(", ") || "continues";
}

/**
 * The mutants as a tree below the original instruction: nodes with `id`, `parent`, `label`, `text`, `reward`, whether
 * they are in the archive now, and whether the answer came from them.
 */
export function treeOf(history, instruction, answer) {
  const root = { id: "0", parent: "", depth: 0, label: "original", text: instruction, reward: history.base?.reward ?? null, cycle: 0, state: null };
  const nodes = [root];
  for (const cycle of history.cycles) {
    const parent = nodes.findLast((node) => node.text === cycle.parent) ?? root;
    cycle.mutants.forEach((mutant, state) => nodes.push({
      id: `${cycle.number}.${state}`,
      parent: parent.id,
      depth: parent.depth + 1,
      label: mutant.operator || mutant.source,
      text: mutant.text,
      reward: cycle.end?.rewards[state] ?? cycle.rounds.at(-1)?.states[state]?.reward ?? null,
      cycle: cycle.number,
      state,
    }));
  }
  for (const entry of archiveOf(history)) {
    const same = nodes.filter((node) => node.text === entry.instruction);
    const node = same.find((each) => each.reward === entry.reward) ?? same[0];
    if (node) node.archived = true;
  }
  const winner = answer && nodes.find((node) => node.cycle === answer.cycle && node.state === answer.state);
  if (winner) winner.answered = true;
  return inOrder(nodes, root);
}

/** Parents before their children, and these before the next of their parent's siblings. */
function inOrder(nodes, node) {
  return [node, ...nodes.filter((each) => each.parent === node.id).flatMap((child) => inOrder(nodes, child))];
}
