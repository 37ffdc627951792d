/** What is like the current shot or the marked clip, in context and out of it. */

import { h } from "../dom.js";
import { go } from "../router.js";
import { shotCard } from "./card.js";
import { featureSwitch } from "./feature-switch.js";

const REST = 220; // ms without a further step

/** Where a hit is, as an address of this page. */
export function addressOf(hit, version) {
  const query = new URLSearchParams({ t: String(hit.span.start) });
  if (version) query.set("version", version);
  return `/titles/${encodeURIComponent(hit.title_id)}?${query}`;
}

/** The panel "More like this". */
export function similarPanel(about, live) {
  const { title, stage, words, deck, data, catalog, version } = about;
  const subject = h("h2", {});
  const controls = h("div", { class: "similar-controls" });
  const elsewhere = h("input", { type: "checkbox", id: "similar-elsewhere" });
  const list = h("div", { class: "hits", "aria-live": "polite" });
  let features = null;
  let timer = 0;
  let asked = "";
  let running = null;

  function target() {
    const marked = stage.marked();
    if (marked) return { start: marked.start, end: marked.end };
    return { time: stage.state.shot < 0 ? stage.state.time : stage.span().start };
  }

  function name() {
    const marked = stage.marked();
    subject.textContent = marked
      ? `Like the marked clip, ${words.short(marked.start)}–${words.short(marked.end)}`
      : `Like shot ${stage.state.shot}`;
  }

  function open(hit) {
    if (hit.title_id === title.title_id) deck.seek(hit.span.start);
    else go(addressOf(hit, version));
  }

  async function ask() {
    if (!features) return;
    const params = { ...target(), features, count: 16, elsewhere: elsewhere.checked };
    const key = JSON.stringify(params);
    if (key === asked) return;
    asked = key;
    running?.abort();
    running = new AbortController();
    list.classList.add("stale");
    name();
    try {
      const { hits } = await data.alike(params, { signal: running.signal });
      if (asked !== key) return;
      list.replaceChildren(
        ...(hits.length
          ? hits.map((hit) => shotCard(hit, { score: true, why: true, onopen: () => open(hit) }))
          : [h("p", { class: "quiet" }, elsewhere.checked ? "Nothing in other titles." : "Nothing is like it.")]),
      );
    } catch (error) {
      if (error.name === "AbortError" || asked !== key) return;
      asked = "";
      list.replaceChildren(h("p", { class: "problem", role: "alert" }, error.message));
    }
    list.classList.remove("stale");
  }

  function soon() {
    clearTimeout(timer);
    if (!stage.state.playing) timer = setTimeout(ask, REST);
  }

  catalog().then(
    (held) => {
      if (!held.features.length) {
        list.replaceChildren(h("p", { class: "problem" }, "The catalog has no features to compare by."));
        return;
      }
      features = held.features.includes("context") ? "context" : held.features[0];
      controls.prepend(
        featureSwitch(features, (chosen) => {
          features = chosen;
          ask();
        }, held.features),
      );
      ask();
    },
    (error) => list.replaceChildren(h("p", { class: "problem", role: "alert" }, error.message)),
  );
  elsewhere.addEventListener("change", ask);
  controls.append(h("label", { class: "check", for: "similar-elsewhere" }, elsewhere, "In other titles only"));
  live.watch("shot marks playing", soon);
  name();
  list.replaceChildren(h("p", { class: "quiet loading" }, "Loading…"));
  return h("div", { class: "similar-panel" }, subject, controls, list);
}
