// Reward profiles: the list of an owner's, and the page of one.

import * as api from "./api.js";
import { h, table } from "./dom.js";
import { diffSection } from "./profile_diff.js";
import { editSection } from "./profile_edit.js";
import { historySection } from "./profile_history.js";
import { trySection } from "./profile_try.js";

const SECTIONS = [editSection, trySection, diffSection, historySection];

/** Whose profiles a page is about, as the address says: a tenant's, or those that the key is for. */
const ownerOf = (query) => query.get("tenant");
const hrefOf = (name, owner) => `#/profiles/${encodeURIComponent(name)}${owner === null ? "" : `?${new URLSearchParams({ tenant: owner })}`}`;

export async function showProfiles(main, query, viewing, signal) {
  const viewer = await viewing;
  const owner = ownerOf(query);
  document.title = "Reward profiles · Darwin inspector";
  const title = h("h1", {}, "Reward profiles");
  if (viewer.profiles === "none") return void main.replaceChildren(title, mayNot(viewer));
  const { data } = await api.profiles(owner, signal);
  if (signal.aborted) return;
  const rows = data.map((each) => [
    h("a", { href: hrefOf(each.name, owner) }, each.name), `${each.name}@${each.promoted}`, each.latest, each.default ? "default" : ""]);
  main.replaceChildren(title, may(viewer, owner), form(viewer, owner),
    data.length ? h("div", { class: "card" }, table("Reward profiles", ["Name", "Means", "Latest", ""], rows, [2])) : h("p", { class: "empty" }, "There is no profile yet."));
}

/** A new name leads to its page, where its first version is written. */
function form(viewer, owner) {
  const go = (event) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    const name = given.get("name").trim();
    const tenant = viewer.profiles === "all" && given.get("tenant").trim() ? given.get("tenant").trim() : null;
    if (name) location.hash = hrefOf(name, tenant);
    else location.hash = tenant === null ? "#/profiles" : `#/profiles?${new URLSearchParams({ tenant })}`;
  };
  return h("form", { class: "filters card", onsubmit: go, "aria-label": "Find or begin a profile" },
    viewer.profiles === "all" && h("label", {}, "Tenant", h("input", { name: "tenant", value: owner, maxlength: 64, placeholder: "all may use" })),
    h("label", {}, "Name", h("input", { name: "name", maxlength: 64, pattern: "[A-Za-z0-9][A-Za-z0-9._\\-]*", placeholder: "of a new one, too" })),
    h("button", { class: "primary" }, "Open"));
}

function may(viewer, owner) {
  const whose = owner ? `of tenant ${owner}` : viewer.profiles === "own" ? `of tenant ${viewer.tenant}` : "that all may use";
  const more = viewer.profiles === "own" ? "This key may change its tenant's own profiles, and no others." : "This key may change all profiles.";
  return h("p", { class: "hint" }, `Profiles ${whose}. ${more}`);
}

function mayNot(viewer) {
  return h("div", { class: "problem" }, h("p", {},
    `This key of tenant ${viewer.tenant} uses profiles, and may neither see nor change them. An operator makes keys that may: `,
    h("code", {}, "darwin keys add … --own-profiles"), " for a tenant's own, ", h("code", {}, "--manages-profiles"), " for all."));
}

/** What the sections show and share: the profile (null while its first version is written), its versions, and the draft. */
class View {
  constructor(name, owner, viewer) {
    Object.assign(this, { name, owner, viewer, profile: null, versions: [], draft: "", sections: [] });
  }

  async read(signal) {
    try {
      const [profile, { data }] = await Promise.all([
        api.readProfile(this.name, this.owner, signal), api.versions(this.name, this.owner, signal)]);
      Object.assign(this, { profile, versions: data });
    } catch (error) {
      if (error.status !== 404) throw error;
      Object.assign(this, { profile: null, versions: [] });
    }
  }

  async reread() {
    await this.read();
    for (const section of this.sections) section.update();
  }

  contentOf(version) {
    return this.versions.find((each) => each.version === version)?.content ?? "";
  }
}

export async function showProfile(main, name, query, viewing, signal) {
  const viewer = await viewing;
  document.title = `${name} · Darwin inspector`;
  if (viewer.profiles === "none") return void main.replaceChildren(h("h1", {}, name), mayNot(viewer));
  const view = new View(name, ownerOf(query), viewer);
  await view.read(signal);
  if (signal.aborted) return;
  view.draft = view.profile?.content ?? "";
  view.sections = [heading(view), ...SECTIONS.map((make) => make(view, signal))];
  main.replaceChildren(h("div", { class: "profile" }, view.sections.map((section) => section.element)));
}

function heading(view) {
  const facts = h("p", { class: "hint" });
  const update = () => {
    const { profile } = view;
    const whose = profile?.tenant ? `of tenant ${profile.tenant}` : "that all may use";
    facts.textContent = profile
      ? `A profile ${whose}. The name means ${profile.name}@${profile.promoted}; the latest is @${profile.latest}.${profile.default ? " Requests that name none get it." : ""}`
      : "There is no such profile yet: what is pushed here first is its version 1, which the name means at once.";
  };
  update();
  const back = view.owner === null ? "#/profiles" : `#/profiles?${new URLSearchParams({ tenant: view.owner })}`;
  const element = h("header", { class: "heading" }, h("h1", { tabindex: -1 }, view.name), facts, h("p", {}, h("a", { href: back }, "All profiles")));
  return { element, update };
}
