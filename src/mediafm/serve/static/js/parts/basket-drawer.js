/** The basket as people see it: clips in order, and what to make of them. */

import { api, keyframeUrl } from "../api.js";
import { basket } from "../basket.js";
import { h, icon } from "../dom.js";
import { link } from "../router.js";
import { store } from "../store.js";
import { clock, timeOf } from "../time.js";
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
  const asked = new Set();
  let before = null;
  let rows = [];
  let drawn = "";
  foot.append(exportForm(), h("button", { class: "link basket-clear", type: "button", onclick: empty }, "Empty the basket"));

  function toggle(open = element.hidden) {
    if (open) before = document.activeElement;
    element.hidden = !open;
    hearers.forEach((fn) => fn(open));
    if (open) {
      element.focus();
      complete(basket.items());
    } else before?.focus?.();
  }

  element.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.stopPropagation();
      toggle(false);
    }
  });
  // Where the drawer covers all, what it leads to would not be seen.
  list.addEventListener("click", (event) => {
    if (event.target.closest("a") && matchMedia("(max-width: 700px)").matches) toggle(false);
  });

  function empty() {
    const undo = basket.clear();
    element.focus();
    toast("The basket is empty", { action: { label: "Undo", run: undo } });
  }

  /** Clips from a search or from the map do not know by what timecode their title counts. */
  function complete(items) {
    for (const { title_id: id } of items.filter((one) => one.rate === null || one.rate === undefined)) {
      if (asked.has(id)) continue;
      asked.add(id);
      api.get(`/titles/${encodeURIComponent(id)}`)
        .then(({ frame_rate: rate, timecode: start }) => basket.fill(id, { rate: rate ?? "", timecode: start ?? null }))
        .catch(() => {}); // a title that is gone: its times are told without
    }
  }

  function show() {
    const items = basket.items();
    if (!element.hidden) complete(items);
    // Names change with every letter that is typed: what is typed in has to stay.
    const sign = JSON.stringify(items.map(({ name: _, ...rest }) => rest));
    if (sign !== drawn || !items.length) redraw(items);
    drawn = sign;
    rows.forEach((one, i) => one.call(items[i].name ?? ""));
    const length = items.reduce((sum, { span }) => sum + span.end - span.start, 0);
    total.textContent = items.length ? `${items.length === 1 ? "1 clip" : `${items.length} clips`}, ${clock(length)}` : "";
    foot.hidden = !items.length;
  }

  function redraw(items) {
    const act = list.contains(document.activeElement) ? document.activeElement.dataset.act : null;
    rows = items.map((one, i) => row(one, i, items.length));
    list.replaceChildren(...rows.map((one) => one.element));
    if (!items.length) {
      list.append(h("li", { class: "basket-empty" }, h("p", {}, "Nothing in it yet."),
        h("p", { class: "quiet" }, "Mark a clip with I and O in a title and press B, or take a shot from a search or from the map.")));
    }
    if (act) (list.querySelector(`[data-act="${CSS.escape(act)}"]`) ?? rows.at(-1)?.element.querySelector("[data-act^=remove]") ?? element).focus();
  }

  basket.subscribe(show);
  show();
  return { element, toggle, onchange: (fn) => hearers.add(fn) };
}

const seconds = ({ start, end }) => `${((end - start) / 1e6).toFixed(end - start < 1e7 ? 2 : 1)} s`;

/** A clip: `{element, call}`, where `call` gives it another name. */
function row(one, place, count) {
  const times = [one.span.start, one.span.end].map((us) => timeOf(us, one.rate, one.timecode));
  const shown = picture(one.ingest_id !== undefined && one.shot !== null ? keyframeUrl(one) : null);
  const name = h("input", { class: "input basket-name", placeholder: unnamed(one, place), maxlength: 500, autocomplete: "off", "aria-label": `Name of clip ${place + 1}`, "data-act": `name-${place}`,
    oninput: () => basket.rename(place, name.value) });
  const acts = new Map();
  const act = (what, label, sign, run, able = true) => {
    const button = h("button", { class: "tool", type: "button", title: label, "aria-disabled": able ? null : "true", "data-act": `${what}-${place}`, onclick: () => able && run() }, icon(sign));
    acts.set(button, label);
    return button;
  };
  const move = (to, what) => {
    const list = element.parentElement;
    basket.move(place, to);
    list.querySelector(`[data-act="${what}-${to}"]`)?.focus(); // the focus goes with the clip
  };
  const removed = () => {
    const held = basket.items()[place];
    basket.remove(place);
    toast("Taken out", { action: { label: "Undo", run: () => { basket.add(held); basket.move(basket.items().length - 1, place); } } });
  };
  const element = h("li", { class: "basket-row" },
    link(`/titles/${encodeURIComponent(one.title_id)}?t=${one.span.start}`, { class: "basket-picture", "aria-label": `Open ${one.title} at ${times[0]}` }, shown),
    h("div", { class: "basket-about" }, name,
      h("p", { class: "basket-title quiet" }, one.title),
      h("p", { class: "times" }, h("span", {}, times[0]), " – ", h("span", {}, times[1]))),
    h("div", { class: "basket-acts" },
      act("up", "Earlier", "up", () => move(place - 1, "up"), place > 0),
      act("down", "Later", "down", () => move(place + 1, "down"), place < count - 1),
      act("remove", "Take out", "close", removed),
      h("span", { class: "times quiet" }, seconds(one.span))));

  function call(given) {
    if (name.value !== given) name.value = given;
    acts.forEach((label, button) => button.setAttribute("aria-label", `${label}: ${given || `clip ${place + 1}`}`));
  }
  return { element, call };
}

/** What a clip without a name is called in a file. */
const unnamed = (one, place) => `${one.title} ${place + 1}`;

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
    if (button.ariaBusy === "true") return; // disabled, it would lose the focus
    button.ariaBusy = "true";
    notes.replaceChildren();
    try {
      const clips = basket.items().map((one, i) => ({ title_id: one.title_id, span: one.span, name: one.name || unnamed(one, i) }));
      const file = await api.file("/export", { form: form.value, name: name.value || "mediafm", clips });
      const address = URL.createObjectURL(file.blob);
      h("a", { href: address, download: file.name }).click();
      setTimeout(() => URL.revokeObjectURL(address), 10000);
      notes.append(...file.notes.map((note) => h("p", { class: "note" }, note)));
      toast(`${file.name} was written`);
    } catch (error) {
      notes.append(h("p", { class: "problem", role: "alert" }, error.message));
    } finally {
      button.ariaBusy = null;
    }
  }
}
