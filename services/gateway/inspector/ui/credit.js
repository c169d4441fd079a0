// Shows what the tenant's lines and operators have earned under the search's profile, where the search draws by that.

import * as api from "./api.js";
import { count, h, problem, section, signed, table } from "./dom.js";

export function creditSection(view, signal) {
  const { settings } = view.recording;
  const body = h("div", {});
  const element = section("credit", "Credit", "What ways to rewrite have gained over their parents in your searches", body);
  element.hidden = !settings.credit;
  let shown = "";
  const update = async () => {
    const state = String(view.ended);
    if (!settings.credit || state === shown) return;
    shown = state;
    try {
      const { data } = await api.credit(signal);
      const own = data.filter((row) => row.profile === (settings.profile ?? "") && row.profile_owner === (settings.profile_owner ?? ""));
      body.replaceChildren(own.length ? table("Credit", ["line or operator", "mutants", "gain", "length"],
        own.map((row) => [row.operator, count(row.mutants), signed(row.gain), `× ${row.length.toFixed(2)}`]), [1, 2, 3])
        : h("p", { class: "hint" }, "Nothing has been earned yet."));
    } catch (error) {
      if (!signal.aborted) body.replaceChildren(problem(error));
    }
  };
  update();
  return { element, update };
}
