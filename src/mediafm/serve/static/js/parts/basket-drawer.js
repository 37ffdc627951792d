/** The basket as people see it: clips in order, and what to make of them. */

import { api, keyframeUrl } from "../api.js";
import { basket } from "../basket.js";
import { h, icon } from "../dom.js";
import { link } from "../router.js";
import { store } from "../store.js";
import { clock, stamp, timecode } from "../time.js";
import { toast } from "../toast.js";
import { picture } from "./card.js";

const FORMS = {
  ".otio": "OpenTimelineIO (.otio)",
  ".edl": "CMX 3600 (.edl)",
  ".xml": "Final Cut Pro XML (.xml)",
  ".vtt": "Chapters of one title (.vtt)",
  ".csv": "Table (.csv)",
  ".jsonl": "JSON lines (.jsonl)",
  ".parquet": "Parquet (.parquet)",
};

/** Makes the drawer: `{element, toggle, onchange}`. */
export function makeDrawer() {
  const list = h("ol", { class: "basket-list" });
  const total = h("p", { class: "quiet basket-total", "aria-live": "polite" });
  const foot = h("div", { class: "basket-foot" });
  const shut = h("button", { class: "tool", type: "button", "aria-label": "Close the basket", onclick: () => toggle(false) }, icon("close"));
  const element = h("aside", { id: "basket", class: "basket", "aria-label": "Basket", hidden: true, tabindex: "-1" },
    h("header", {}, h("h2", {}, "Basket"), total, shut), list, foot);
  const hearers = new Set();
  let before = null;
  foot.append(exportForm(), h("button", { class: "link", type: "button", onclick: empty }, "Empty the basket"));

  function toggle(open = element.hidden) {
    if (open) before = document.activeElement;
    element.hidden = !open;
    hearers.forEach((fn) => fn(open));
    if (open) element.focus();
    else before?.focus?.();
  }

  element.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.stopPropagation();
      toggle(false);
    }
  });

  function empty() {
    const undo = basket.clear();
    toast("The basket is empty", { action: { label: "Undo", run: undo } });
  }

  function show() {
    const items = basket.items();
    const inside = element.contains(document.activeElement) ? document.activeElement.dataset.act : null;
    list.replaceChildren(...items.map(row));
    if (!items.length) {
      list.append(h("li", { class: "basket-empty" }, h("p", {}, "Nothing in it yet."),
        h("p", { class: "quiet" }, "Mark a clip with I and O in a title and press B, or take a shot from a search or from the map.")));
    }
    const length = items.reduce((sum, { span }) => sum + span.end - span.start, 0);
    total.textContent = items.length ? `${items.length === 1 ? "1 clip" : `${items.length} clips`}, ${clock(length)}` : "";
    foot.hidden = !items.length;
    if (inside) list.querySelector(`[data-act="${CSS.escape(inside)}"]`)?.focus();
  }

  basket.subscribe(show);
  show();
  return { element, toggle, onchange: (fn) => hearers.add(fn) };
}

function row(one, place) {
  const times = one.rate ? [timecode(one.span.start, one.rate, one.timecode), timecode(one.span.end, one.rate, one.timecode)] : [stamp(one.span.start), stamp(one.span.end)];
  const called = one.name || `clip ${place + 1}`;
  const shown = picture(one.ingest_id !== undefined && one.shot !== null ? keyframeUrl(one.title_id, one.ingest_id, one.shot) : null);
  const name = h("input", { class: "input basket-name", value: one.name ?? "", placeholder: "Name", maxlength: 500, "aria-label": `Name of clip ${place + 1}`, "data-act": `name-${place}`,
    onchange: (event) => basket.rename(place, event.target.value) });
  const act = (what, label, sign, run, to) => h("button", { class: "tool", type: "button", "aria-label": `${label}: ${called}`, title: label, "data-act": `${what}-${to}`, onclick: run }, icon(sign));
  const removed = () => {
    const held = basket.items()[place];
    basket.remove(place);
    toast("Taken out", { action: { label: "Undo", run: () => { basket.add(held); basket.move(basket.items().length - 1, place); } } });
  };
  return h("li", { class: "basket-row" },
    link(`/titles/${encodeURIComponent(one.title_id)}?t=${one.span.start}`, { class: "basket-picture", "aria-label": `Open ${one.title} at ${times[0]}` }, shown),
    h("div", { class: "basket-about" }, name,
      h("p", { class: "basket-title" }, one.title),
      h("p", { class: "times" }, `${times[0]} – ${times[1]}`, h("span", { class: "quiet" }, ` ${((one.span.end - one.span.start) / 1e6).toFixed(1)} s`))),
    h("div", { class: "basket-acts" },
      act("up", "Earlier", "up", () => basket.move(place, place - 1), place + 1),
      act("down", "Later", "down", () => basket.move(place, place + 1), place - 1),
      act("remove", "Take out", "close", removed, place)));
}

function exportForm() {
  const last = store("export-form", ".otio");
  const name = h("input", { class: "input", value: "my cut", maxlength: 200, "aria-label": "Name of the edit" });
  const form = h("select", { class: "input", "aria-label": "Form of the file", onchange: () => last.set(form.value) },
    Object.entries(FORMS).map(([value, label]) => h("option", { value }, label)));
  form.value = last.get();
  const button = h("button", { class: "button primary", type: "submit" }, icon("download"), " Export");
  const notes = h("div", { class: "basket-notes", role: "status" });
  return h("form", { class: "basket-export", onsubmit: send }, name, form, button, notes);

  async function send(event) {
    event.preventDefault();
    button.disabled = true;
    notes.replaceChildren();
    try {
      const clips = basket.items().map((one, i) => ({ title_id: one.title_id, span: one.span, name: one.name || `${one.title} ${i + 1}` }));
      const file = await api.file("/export", { form: form.value, name: name.value || "mediafm", clips });
      const address = URL.createObjectURL(file.blob);
      h("a", { href: address, download: file.name }).click();
      setTimeout(() => URL.revokeObjectURL(address), 10000);
      notes.append(...file.notes.map((note) => h("p", { class: "note" }, note)));
      toast(`${file.name} was written`);
    } catch (error) {
      notes.append(h("p", { class: "problem", role: "alert" }, error.message));
    } finally {
      button.disabled = false;
    }
  }
}
