// Chooses the page by the address: #/ with filters is the list, #/evo_… one evolution, #/profiles and #/profiles/… reward
// profiles.

import * as api from "./api.js";
import { h, problem } from "./dom.js";
import { showEvolution } from "./evolution.js";
import { showList } from "./list.js";

const main = document.getElementById("main");
const forget = document.getElementById("forget");
let leaving = new AbortController();
let shown = "";

async function show() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  if (path !== shown) window.scrollTo(0, 0);
  shown = path;
  try {
    const viewer = api.viewer();
    viewer.then(describe, () => {});
    const [place, name] = path.split("/");
    if (place === "profiles") await showProfiles(name && decodeURIComponent(name), new URLSearchParams(query), viewer, signal);
    else if (path) await showEvolution(main, decodeURIComponent(path), new URLSearchParams(query), viewer, signal);
    else await showList(main, new URLSearchParams(query), viewer, signal);
  } catch (error) {
    if (signal.aborted) return;
    main.replaceChildren(error.status === 401 ? keyForm(error) : problem(error, show));
  }
}

/** The pages of profiles are loaded when they are asked for: who looks at evolutions does not wait for them. */
async function showProfiles(name, query, viewer, signal) {
  const pages = await import("./profiles.js");
  if (name) await pages.showProfile(main, name, query, viewer, signal);
  else await pages.showProfiles(main, query, viewer, signal);
}

function describe(viewer) {
  const who = viewer.tenant ? `tenant ${viewer.tenant}` : "no keys asked for";
  document.getElementById("viewer").textContent = viewer.all_tenants && viewer.tenant ? `${who}, reads all` : who;
  forget.hidden = !api.key.get();
}

function keyForm(error) {
  const field = h("input", { id: "key", type: "password", required: true, autocomplete: "off", spellcheck: "false", placeholder: "dk_…" });
  const wrong = api.key.get() ? h("p", { class: "wrong", role: "alert" }, error.message) : null;
  forget.hidden = true;
  document.getElementById("viewer").textContent = "";
  const enter = (event) => {
    event.preventDefault();
    api.key.set(field.value.trim());
    show();
  };
  return h("form", { class: "card key", onsubmit: enter },
    h("h1", {}, "API key"),
    h("p", {}, "This gateway asks for a key. It is kept in this tab only, until you close it."),
    h("label", { for: "key" }, "Key"), field, wrong, h("button", { class: "primary" }, "Continue"));
}

forget.addEventListener("click", () => {
  api.key.forget();
  show();
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
addEventListener("hashchange", show);
show();
