/** Short messages that come and go, told to people who do not see them as well. */

import { h } from "./dom.js";

const STAY = 6000;

/** Says something; an action, such as undo, is offered as long as it stays. */
export function toast(text, { kind = "ok", action = null } = {}) {
  let place = document.getElementById("toasts");
  if (!place) {
    place = h("div", { id: "toasts", class: "toasts" });
    document.body.append(place);
  }
  const note = h("div", { class: `toast ${kind}`, role: kind === "error" ? "alert" : "status" }, h("span", {}, text));
  const leave = () => note.remove();
  if (action) {
    note.append(h("button", { class: "link", type: "button", onclick: () => { leave(); action.run(); } }, action.label));
  }
  place.append(note);
  while (place.children.length > 3) place.firstElementChild.remove();
  let timer = setTimeout(leave, kind === "error" ? STAY * 2 : STAY);
  note.addEventListener("pointerenter", () => clearTimeout(timer));
  note.addEventListener("pointerleave", () => { timer = setTimeout(leave, STAY); });
  return leave;
}
