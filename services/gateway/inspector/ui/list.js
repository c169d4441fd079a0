// The list of evolutions, with filters that stand in the address, so that a list can be shared.

import * as api from "./api.js";
import { count, h, outcome, problem, seconds, signed, time } from "./dom.js";
import { load } from "./plots.js";

const REFRESH_MS = 3000;
const OUTCOMES = ["queued", "running", "succeeded", "failed", "cancelled"];

export async function showList(main, filters, viewing, signal) {
  const [viewer, methods] = await Promise.all([viewing, api.methods()]);
  if (signal.aborted) return;
  document.title = "Evolutions · Darwin inspector";
  const body = h("tbody");
  const more = h("button", { type: "button", hidden: true }, "Show more");
  const status = h("p", { class: "hint", role: "status" }, "Loading…");
  main.replaceChildren(
    h("h1", {}, "Evolutions"), form(filters, viewer, methods),
    h("div", { class: "scroll card" }, h("table", { class: "list" }, head(viewer), body)), status, more);

  let found = [];
  let page = { last_id: null };
  const params = { ...Object.fromEntries(filters), limit: 50 };
  const render = () => {
    body.replaceChildren(...found.map((item) => row(item, viewer)));
    more.hidden = !page.has_more;
    status.textContent = found.length ? `${found.length} shown` : emptiness(filters, page);
  };
  const next = async () => {
    try {
      page = await api.list(page.last_id ? { ...params, after: page.last_id } : params, signal);
      found = [...found, ...page.data];
      render();
    } catch (error) {
      if (signal.aborted) return;
      if (error.status === 401) throw error;
      status.replaceChildren(problem(error, next));
    }
  };
  more.addEventListener("click", next);
  await next();
  // Whoever opens an evolution from here finds the plots' library ready.
  requestIdleCallback?.(() => load().catch(() => {}));
  refreshing(signal, () => found.length <= params.limit && document.visibilityState === "visible", async () => {
    page = await api.list(params, signal);
    found = page.data;
    if (!body.contains(document.activeElement)) render();
  });
}

/** Asks again and again, while it makes sense; a failure is passed over, the next time may do. */
function refreshing(signal, sensible, ask) {
  const timer = setInterval(() => sensible() && ask().catch(() => {}), REFRESH_MS);
  signal.addEventListener("abort", () => clearInterval(timer));
}

function emptiness(filters, page) {
  if (page.has_more) return "Nothing among the newest; show more to look further back.";
  return filters.size ? "No evolution matches these filters." : "No evolution yet: start one by POST /v1/evolutions, and it appears here.";
}

function form(filters, viewer, methods) {
  const apply = (event) => {
    event.preventDefault();
    const given = [...new FormData(event.currentTarget)].filter(([, value]) => value !== "");
    location.hash = given.length ? `#/?${new URLSearchParams(given)}` : "#/";
  };
  const change = (event) => event.currentTarget.form.requestSubmit();
  const choice = (name, label, options) => h("label", {}, label,
    h("select", { name, onchange: change }, h("option", { value: "" }, "any"),
      options.map((option) => h("option", { selected: filters.get(name) === option }, option))));
  const number = (name, label) => h("input", { name, type: "number", step: "any", value: filters.get(name), "aria-label": label });
  const range = (name, label) => h("fieldset", {}, h("legend", {}, label), number(`min_${name}`, `${label}, at least`), h("span", {}, "to"), number(`max_${name}`, `${label}, at most`));
  return h("form", { class: "filters card", onsubmit: apply, "aria-label": "Filters" },
    viewer.all_tenants && h("label", {}, "Tenant", h("input", { name: "tenant", value: filters.get("tenant"), maxlength: 64, placeholder: "any" })),
    choice("method", "Method", methods), choice("status", "Outcome", OUTCOMES),
    range("gain", "Reward gain"), range("seconds", "Seconds"),
    h("button", { class: "primary" }, "Filter"), h("a", { class: "button", href: "#/" }, "Clear"));
}

function head(viewer) {
  const heads = [["Accepted"], viewer.all_tenants && ["Tenant"], ["Instruction"], ["Method"], ["Outcome"], ["Reward", 1], ["Gain", 1], ["Rounds", 1], ["Tokens", 1], ["Time", 1]];
  return h("thead", {}, h("tr", {}, heads.filter(Boolean).map(([name, number]) => h("th", { scope: "col", class: number && "number" }, name))));
}

function row(item, viewer) {
  const number = (text, kind = "") => h("td", { class: `number ${kind}` }, text);
  return h("tr", { data: { id: item.id } },
    h("td", { class: "time" }, time(item.created_at)),
    viewer.all_tenants && h("td", {}, item.tenant || "–"),
    h("td", { class: "instruction" }, h("a", { href: `#/${item.id}` }, item.instruction)),
    h("td", {}, item.method), h("td", {}, outcome(item.status, item.stopped_by)),
    number(signed(item.reward)), number(signed(item.gain), item.gain > 0 ? "up" : item.gain < 0 ? "down" : ""),
    number(count(item.rounds)), number(count(item.generated_tokens)), number(seconds(item.seconds)));
}
