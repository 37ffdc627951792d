/** Over the tracks: which are shown, and how near. */

import { h } from "../dom.js";

/** Toggles of tracks, and zoom. */
export function makeToolbar({ timeline, stage }, ...before) {
  const toggles = timeline.lanes.map((lane) =>
    h("button", { type: "button", class: "toggle", "aria-pressed": "true",
      onclick: () => timeline.fold(lane, !lane.folded) }, lane.label));
  const zoom = (label, sign, act) =>
    h("button", { type: "button", class: "tool", "aria-label": label, title: label, onclick: act }, sign);

  function update() {
    timeline.lanes.forEach((lane, i) => toggles[i].setAttribute("aria-pressed", String(!lane.folded)));
  }

  timeline.onfold(update);
  update();
  return h(
    "div",
    { class: "tl-bar" },
    ...before,
    h("div", { class: "tl-toggles", role: "group", "aria-label": "Tracks" }, toggles),
    h("div", { class: "tl-zoom", role: "group", "aria-label": "Zoom" },
      zoom("Farther (−)", "−", () => timeline.zoom(1 / 1.6)),
      zoom("Nearer (+)", "+", () => timeline.zoom(1.6)),
      h("button", { type: "button", class: "button quiet", title: "Whole title (F)",
        onclick: () => timeline.scale.fit() }, "Fit"),
      h("button", { type: "button", class: "button quiet", title: "The current shot, or the marked clip",
        onclick: () => timeline.scale.frame(stage.marked() ?? stage.span()) }, "Fit shot")),
  );
}
