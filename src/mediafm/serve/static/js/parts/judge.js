/** Accept, reject, correct: three buttons, and what was answered. */

import { h } from "../dom.js";

const SAID = { accepted: "Accepted", rejected: "Rejected", corrected: "Corrected" };

/** The buttons; `what` names the thing for those who do not see it. `correct` has label and hint, or is missing. */
export function judgeButtons({ what, state, accept, reject, correct, hint }) {
  const one = (name, sign, label, act) =>
    h("button", {
      type: "button", class: `judge judge-${name}`, "aria-pressed": String(state?.answer === name),
      "aria-label": `${label}: ${what}`, title: name === "corrected" ? hint ?? label : label,
      "aria-disabled": state?.waiting ? "true" : null, onclick: () => state?.waiting || act(), // disabled, it would lose the focus
    }, h("span", { "aria-hidden": "true" }, sign));
  return h("div", { class: "judges", role: "group", "aria-label": `Answer: ${what}` },
    one("accepted", "✓", "Accept", accept),
    one("rejected", "✕", "Reject", reject),
    correct ? one("corrected", "✎", "Correct", correct) : null);
}

/** What was answered, in words. */
export const saidOf = (state) => {
  if (!state) return null;
  return h("span", { class: `said said-${state.answer}` }, SAID[state.answer] + (state.waiting ? "…" : ""));
};
