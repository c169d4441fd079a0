// The versions of a profile and who changed what, when and why; what its name means is changed here.

import * as api from "./api.js";
import { h, section, table, time } from "./dom.js";

const KINDS = { pushed: "pushed", promoted: "promoted", rolled_back: "rolled back to", deleted: "deleted" };

export function historySection(view) {
  const versions = h("div");
  const changes = h("div");
  const back = h("button", { type: "button", onclick: () => askReason(`Roll ${view.name}@${view.profile.promoted} back?`, "Roll back", (reason) => change("rollback", view.profile.promoted, reason)) }, "Roll back…");
  const change = async (step, version, reason) => {
    await api.changeProfile(view.name, view.owner, step, { version, reason });
    await view.reread();
  };
  const promote = ({ version, reference, promoted }) => promoted
    ? h("span", { class: "badge succeeded" }, "the name means it")
    : h("button", { type: "button", "aria-label": `Promote ${reference}`, onclick: () => askReason(`Have ${view.name} mean ${reference}?`, "Promote", (reason) => change("promote", version, reason)) }, "Promote…");
  const update = () => {
    const { profile } = view;
    element.hidden = !profile;
    if (!profile) return;
    back.disabled = !profile.history.some(({ kind }) => kind === "promoted");
    versions.replaceChildren(table("Versions", ["Version", "Pushed", "By", "Why", ""], view.versions.map((each) =>
      [each.reference, time(each.created_at), each.by, reasonOf(each), promote(each)])));
    changes.replaceChildren(table("Changes", ["When", "What", "By", "Why"], profile.history.map((each) =>
      [time(each.at), `${KINDS[each.kind]} @${each.version}`, each.by, reasonOf(each)])));
  };
  const element = section("history", "Versions and history", "Searches under way keep the version that they began with.",
    versions, h("h3", {}, "Changes, the newest first"), changes, h("div", { class: "actions" }, back));
  update();
  return { element, update };
}

function reasonOf({ reason }) {
  return h("span", { class: "reason" }, reason);
}

/** A dialog that asks why, does `work` with the answer, and shows what went wrong. */
function askReason(title, verb, work) {
  const reason = h("textarea", { name: "reason", rows: 3, maxlength: 500 });
  const error = h("p", { class: "wrong", role: "alert", hidden: true });
  const button = h("button", { class: "primary" }, verb);
  const form = h("form", { method: "dialog" }, h("h2", { id: "ask-title" }, title), h("label", {}, "reason", reason), error,
    h("div", { class: "actions" }, button, h("button", { type: "button", onclick: () => dialog.close() }, "Cancel")));
  const dialog = h("dialog", { class: "rerun", "aria-labelledby": "ask-title" }, form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    error.hidden = true;
    try {
      await work(reason.value);
      dialog.close();
    } catch (failure) {
      Object.assign(error, { hidden: false, textContent: failure.message });
    } finally {
      button.disabled = false;
    }
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
