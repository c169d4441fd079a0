// The text of a profile, and what is done with it: it is pushed as a version, or told why it cannot be one.

import * as api from "./api.js";
import { announce, h, section } from "./dom.js";

export function editSection(view) {
  const text = h("textarea", { id: "content", class: "yaml", rows: 16, maxlength: 65536, spellcheck: "false", autocomplete: "off", "aria-describedby": "content-problem" });
  const wrong = h("p", { id: "content-problem", class: "wrong", role: "alert", hidden: true });
  const done = h("p", { class: "hint", role: "status" });
  const from = h("select", { name: "from", onchange: () => load(Number(from.value)) });
  const reason = h("input", { name: "reason", maxlength: 500, placeholder: "for its history" });
  const promote = h("input", { name: "promote", type: "checkbox" });
  const button = h("button", { class: "primary" }, "Push");
  text.value = view.draft;
  text.addEventListener("input", () => (view.draft = text.value));

  const load = (version) => {
    text.value = view.draft = view.contentOf(version);
    show(null);
  };
  const show = (error) => {
    Object.assign(wrong, { hidden: !error, textContent: error?.message ?? "" });
    if (error && (!error.param || error.param === "content")) text.setAttribute("aria-invalid", "true");
    else text.removeAttribute("aria-invalid");
  };
  const push = async (event) => {
    event.preventDefault();
    button.disabled = true;
    done.textContent = "Its models are being loaded, and tried…";
    show(null);
    try {
      const pushed = await api.pushProfile(view.name, view.owner, { content: text.value, reason: reason.value, promote: promote.checked });
      done.textContent = `The latest is ${pushed.name}@${pushed.latest}; the name means @${pushed.promoted}.`;
      announce(done.textContent);
      reason.value = "";
      promote.checked = false;
      await view.reread();
      from.value = String(pushed.latest);
    } catch (error) {
      done.textContent = "";
      show(error);
      text.focus();
    } finally {
      button.disabled = false;
    }
  };
  const update = () => {
    const chosen = from.value;
    from.replaceChildren(...view.versions.map(({ version, promoted }) =>
      h("option", { value: version, selected: chosen ? String(version) === chosen : promoted }, `@${version}${promoted ? " (promoted)" : ""}`)));
    from.disabled = !view.versions.length;
  };
  update();
  const element = section("edit", "The profile", "YAML, as darwin check takes it. A push adds a version, and changes none.",
    h("form", { class: "edit", onsubmit: push },
      h("div", { class: "fields" }, h("label", {}, "Begin with version", from)),
      h("label", { for: "content", class: "unseen" }, "Profile as YAML"), text, wrong,
      h("div", { class: "fields" },
        h("label", {}, "Reason", reason),
        h("label", { class: "check" }, promote, "the name means it from now on")),
      h("div", { class: "actions" }, button), done));
  return { element, update };
}
