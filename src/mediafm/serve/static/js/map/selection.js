/** The shots that are selected: a list beside the map, to look through, play and keep. */

import { keyframeUrl } from "../api.js";
import { basket } from "../basket.js";
import { h, icon } from "../dom.js";
import { picture } from "../parts/card.js";
import { link } from "../router.js";
import { clock, stamp } from "../time.js";
import { toast } from "../toast.js";
import { play } from "./play.js";

const STEP = 200;
const MOST_KEPT = 500;

const many = (count, one) => `${count.toLocaleString("en")} ${one}${count === 1 ? "" : "s"}`;

/** The panel. `on`: {point(i), clear(), onopen(open)}. */
export function selectionPanel(data, on) {
  const title = h("h2", { class: "atlas-count", tabindex: -1 });
  const about = h("p", { class: "quiet" });
  const list = h("ol", { class: "atlas-list" });
  const more = h("button", { class: "button atlas-more", type: "button", onclick: () => grow() }, "Show more");
  const player = h("button", { class: "button primary", type: "button", onclick: () => start(0) }, icon("play"), "Play");
  const keeper = h("button", { class: "button", type: "button", onclick: () => keep() }, icon("basket"), "Add all");
  const closer = h("button", { class: "tool", type: "button", "aria-label": "Clear the selection", title: "Clear (Esc)", onclick: () => on.clear() }, icon("close"));
  const body = h("div", { class: "atlas-scroll" }, list, more);
  const element = h("aside", { class: "atlas-panel", "aria-label": "Selected shots", hidden: true },
    h("header", {}, h("div", { class: "atlas-panel-head" }, title, closer), about, h("div", { class: "atlas-actions" }, player, keeper)),
    body);
  let ids = new Uint32Array(0);
  let times = null;
  let shown = 0;
  let turn = 0;

  const clip = (i) => {
    const { title: one, shot } = data.of(i);
    return { title_id: one.title_id, title: one.title, ingest_id: one.ingest_id, shot, span: times(i) };
  };

  function row(i) {
    const one = clip(i);
    const name = `shot ${one.shot} of ${one.title}`;
    const shot = picture(keyframeUrl(one.title_id, one.ingest_id, one.shot));
    const item = h("li", { class: "atlas-row" },
      link(`/titles/${encodeURIComponent(one.title_id)}?t=${one.span.start}`, { class: "atlas-row-open", "aria-label": `Open ${name} at ${clock(one.span.start)}` },
        shot,
        h("span", { class: "atlas-row-words" },
          h("span", { class: "atlas-row-title" }, one.title),
          h("span", { class: "times quiet" }, `${stamp(one.span.start)} · ${((one.span.end - one.span.start) / 1e6).toFixed(1)} s`))),
      h("button", { class: "tool", type: "button", title: "Add to the basket", "aria-label": `Add to the basket: ${name}`, onclick: () => {
        basket.add(toKeep(one));
        toast("In the basket");
      } }, icon("plus")));
    item.addEventListener("pointerenter", () => on.point(i));
    item.addEventListener("focusin", () => on.point(i));
    return item;
  }

  const toKeep = (one) => ({ ...one, name: "", rate: null, timecode: null });

  function grow() {
    const next = Array.from(ids.subarray(shown, shown + STEP), row);
    list.append(...next);
    shown += next.length;
    more.hidden = shown >= ids.length;
    more.textContent = `Show ${Math.min(STEP, ids.length - shown)} of ${(ids.length - shown).toLocaleString("en")} more`;
  }

  function keep() {
    const before = basket.items();
    const some = Array.from(ids.subarray(0, MOST_KEPT), (i) => toKeep(clip(i)));
    basket.add(...some);
    toast(ids.length > MOST_KEPT ? `The first ${MOST_KEPT} are in the basket` : `${many(some.length, "clip")} in the basket`, {
      action: { label: "Undo", run: () => {
        basket.clear();
        basket.add(...before);
      } },
    });
  }

  const start = (at) => play(Array.from(ids, (i) => i), clip, { at, onshot: on.point });

  /** Shows shots; `said` says where they come from. */
  async function show(next, said = "", focus = false) {
    const mine = ++turn;
    ids = next;
    shown = 0;
    element.hidden = !ids.length && !said;
    on.onopen(!element.hidden);
    if (element.hidden) return;
    const titles = new Set();
    let before = null;
    for (const i of ids) {
      if (before && i >= before.first && i < before.first + before.shots) continue;
      before = data.of(i).title;
      titles.add(before.title_id);
    }
    title.textContent = many(ids.length, "shot");
    about.textContent = [ids.length ? `from ${many(titles.size, "title")}` : "", said].filter(Boolean).join(" · ");
    player.disabled = keeper.disabled = !ids.length;
    list.replaceChildren();
    more.hidden = true;
    try {
      times = await data.times();
    } catch (error) {
      if (mine === turn) about.textContent = error.message;
      return;
    }
    if (mine !== turn) return;
    body.scrollTop = 0;
    grow();
    if (focus) title.focus({ preventScroll: true });
  }

  return { element, show, ids: () => ids };
}
