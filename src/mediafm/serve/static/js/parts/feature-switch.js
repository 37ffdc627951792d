/** In context or out of it: the question that every comparison here answers one way or the other. */

import { h } from "../dom.js";

const NAMES = { context: "In context", fused: "Out of context" };
const MODALITIES = { video: "pictures", audio: "sound" }; // others are called what they are
const SAID = {
  context: "What the model makes of shots within their titles.",
  fused: "What the encoders say of each shot alone.",
};

let count = 0;

/** A segmented control, and a menu where single modalities can be compared too. */
export function featureSwitch(value, onchange, features = ["context", "fused"]) {
  const group = `features-${++count}`;
  const single = features.filter((one) => !(one in NAMES));
  const choose = (next) => {
    element.dataset.features = next;
    if (menu) menu.value = next in NAMES ? "" : next;
    said.textContent = SAID[next] ?? SAID.fused;
    element.querySelectorAll("input").forEach((input) => { input.checked = input.value === next; });
    onchange(next);
  };
  const menu = single.length
    ? h("select", { class: "input", "aria-label": "Out of context, by one modality", onchange: (event) => choose(event.target.value || "fused") },
        h("option", { value: "" }, "everything"), single.map((one) => h("option", { value: one }, MODALITIES[one] ?? one)))
    : null;
  const said = h("p", { class: "quiet" }, SAID[value] ?? SAID.fused);
  const element = h("div", { class: "feature-switch", "data-features": value },
    h("div", { class: "segments", role: "radiogroup", "aria-label": "What is compared" },
      Object.entries(NAMES).filter(([one]) => features.includes(one)).map(([one, name]) =>
        h("label", { class: `segment ${one}`, title: SAID[one] },
          h("input", { type: "radio", name: group, value: one, checked: one === value, onchange: () => choose(one) }),
          h("span", {}, name)))),
    menu, said);
  if (menu && !(value in NAMES)) menu.value = value;
  return element;
}
