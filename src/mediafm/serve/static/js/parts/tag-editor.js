/** Corrects tags: the probe's classes to pick from, and words of one's own. */

import { h } from "../dom.js";

const MANY = 14; // classes from which on one wants to filter

/**
 * A small form under a suggestion. `chosen` are ids that are on at first; `single` allows one only.
 * `onsave(ids)` and `oncancel()` end it.
 */
export function tagEditor({ id, what, classes, chosen, single, onsave, oncancel }) {
  const on = new Set(chosen);
  const known = new Map(classes.map((one) => [one.id, one.name]));
  for (const extra of chosen) if (!known.has(extra)) known.set(extra, extra);
  const options = h("div", { class: "editor-options", role: "group", "aria-label": "Classes" });
  const filter = h("input", { type: "search", class: "input", placeholder: `Filter ${known.size} classes`,
    "aria-label": "Filter classes", hidden: known.size < MANY });
  const own = h("input", { type: "text", class: "input", maxlength: 80, placeholder: "Another tag",
    "aria-label": "Another tag" });
  const problem = h("p", { class: "problem", role: "alert", hidden: true });

  function draw() {
    const words = filter.value.trim().toLowerCase();
    const shown = [...known].filter(([one, name]) => on.has(one) || !words || `${one} ${name}`.toLowerCase().includes(words));
    options.replaceChildren(...shown.slice(0, 120).map(([one, name], i) => {
      const box = h("input", { type: single ? "radio" : "checkbox", name: `${id}-class`, id: `${id}-${i}` });
      box.checked = on.has(one);
      box.addEventListener("change", () => {
        if (single) on.clear();
        if (box.checked) on.add(one);
        else on.delete(one);
      });
      return h("label", { class: "editor-option", for: `${id}-${i}` }, box, h("span", {}, name),
        name === one ? null : h("span", { class: "quiet" }, one));
    }));
  }

  function add() {
    const typed = own.value.trim();
    if (!typed) return;
    if (single) on.clear();
    known.set(typed, known.get(typed) ?? typed);
    on.add(typed);
    own.value = "";
    filter.value = "";
    draw();
  }

  function save() {
    add();
    if (on.size) return onsave([...on]);
    problem.textContent = "Pick at least one, or reject the suggestion instead.";
    problem.hidden = false;
  }

  filter.addEventListener("input", draw);
  own.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    add();
  });
  draw();
  const form = h("form", { class: "editor", "aria-label": `Correct ${what}`, onsubmit: (event) => {
    event.preventDefault();
    save();
  } },
  filter, options,
  h("div", { class: "editor-own" }, own, h("button", { type: "button", class: "button", onclick: add }, "Add")),
  problem,
  h("div", { class: "actions" },
    h("button", { type: "submit", class: "button primary" }, "Save"),
    h("button", { type: "button", class: "button", onclick: oncancel }, "Cancel")));
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") oncancel();
  });
  queueMicrotask(() => (filter.hidden ? form.querySelector("input[type=checkbox],input[type=radio]") ?? own : filter).focus());
  return form;
}
