// Makes elements and formats values. Text is only ever inserted as text: nothing here parses HTML.

/** An element: `props` are attributes, `on…` listeners, or `data: {…}`; children that are null or false are left out. */
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "data") Object.assign(element.dataset, value);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A section with a heading; `hint` says how to read it. */
export function section(id, title, hint, ...children) {
  return h("section", { id, "aria-labelledby": `${id}-title` },
    h("div", { class: "title" }, h("h2", { id: `${id}-title` }, title), hint && h("p", { class: "hint" }, hint)), ...children);
}

/** A table; cells are values or elements, `numbers` are the columns (from 0) that align to the right. */
export function table(caption, heads, rows, numbers = []) {
  const kind = (column) => (numbers.includes(column) ? "number" : null);
  return h("div", { class: "scroll" },
    h("table", {},
      h("caption", { class: "unseen" }, caption),
      h("thead", {}, h("tr", {}, heads.map((head, i) => h("th", { scope: "col", class: kind(i) }, head)))),
      h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell, i) => h("td", { class: kind(i) }, cell)))))));
}

const MINUS = "\u2212";

/** A reward or gain with its sign, three digits after the point. */
export function signed(value) {
  if (value === null || value === undefined) return "–";
  return (value < 0 ? MINUS : "+") + Math.abs(value).toFixed(3);
}

export function count(value) {
  return value === null || value === undefined ? "–" : value.toLocaleString("en");
}

export function seconds(value) {
  if (value === null || value === undefined) return "–";
  return value < 100 ? `${value.toFixed(2)} s` : `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`;
}

/** A Unix time in the browser's time zone. */
export function time(at) {
  return new Date(at * 1000).toLocaleString("en-GB", { dateStyle: "short", timeStyle: "medium" });
}

/**
 * The outcome of an evolution, shown by a word and a mark, not by colour alone; with what ended it early, and why the base
 * response is the answer although another one came first.
 */
export function outcome(status, stoppedBy, fallback) {
  const marks = { queued: "…", running: "▶", succeeded: "✓", failed: "✕", cancelled: "■" };
  const early = stoppedBy && stoppedBy !== "cancelled" ? ` (${stoppedBy})` : "";
  return h("span", { class: `badge ${status}` }, h("span", { "aria-hidden": "true" }, `${marks[status] ?? ""} `), status + early + (fallback ? ` (base: ${fallback})` : ""));
}

/** Has screen readers say `text`. */
export function announce(text) {
  document.getElementById("news").textContent = text;
}

/** The message of a failure, with a button that calls `retry` where that is given. */
export function problem(error, retry) {
  return h("div", { class: "problem", role: "alert" }, h("p", {}, error.message),
    retry && h("button", { type: "button", onclick: retry }, "Try again"));
}
