/** Keys of a page: bound by whoever shows something, listed under `?`. */

import { h } from "./dom.js";

const scopes = new Set();
const WRITING = "input:not([type=range]):not([type=checkbox]):not([type=radio]):not([type=button]), textarea, select, [contenteditable=true], form.editor *";
// What a key that is held does again and again; anything else would fill the basket, or flutter.
const REPEATED = new Set(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "+", "=", "-"]);

function nameOf(event) {
  const key = event.key === "Spacebar" ? " " : event.key.toLowerCase();
  return event.shiftKey && (key.length > 1 || /[a-z ]/.test(key)) ? `shift+${key}` : key;
}

function heard(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (document.querySelector("dialog[open]")) return;
  if (event.target instanceof Element && event.target.closest(WRITING)) return;
  for (const scope of [...scopes].reverse()) {
    if (scope.element !== document && !scope.element.contains(event.target)) continue;
    const act = scope.map[nameOf(event)];
    if (!act) continue;
    event.preventDefault();
    if (!event.repeat || REPEATED.has(event.key)) act(event);
    return;
  }
  if (event.key === "?") {
    event.preventDefault();
    showKeys();
  }
}

document.addEventListener("keydown", heard);

/** Binds keys within an element, or everywhere; gives what removes them. */
export function keys(element, map, help = []) {
  const scope = { element, map, help };
  scopes.add(scope);
  return () => scopes.delete(scope);
}

/** Lists the keys that work here. */
export function showKeys() {
  const lists = [...scopes].filter((scope) => scope.help.length);
  const dialog = h("dialog", { class: "dialog keys", "aria-labelledby": "keys-title" },
    h("h2", { id: "keys-title" }, "Keys"),
    h("dl", { class: "keys-list" }, lists.flatMap((scope) => scope.help.map(([names, what]) =>
      h("div", {}, h("dt", {}, names.split(" ").map((name) => h("kbd", {}, name))), h("dd", {}, what))))),
    h("form", { method: "dialog" }, h("button", { class: "button", autofocus: true }, "Close")));
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  document.body.append(dialog);
  dialog.showModal();
}
