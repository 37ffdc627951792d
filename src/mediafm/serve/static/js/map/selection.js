/** The shots that are selected: a list beside the map, to look through, play and keep. */

import { keyframeUrl } from "../api.js";
import { basket } from "../basket.js";
import { many } from "../count.js";
import { h, icon } from "../dom.js";
import { picture } from "../parts/card.js";
import { link } from "../router.js";
import { timeOf } from "../time.js";
import { toast } from "../toast.js";
import { play } from "./play.js";

const ROW = 72; // as the style sheet has it
const BEYOND = 5;
const MOST_KEPT = 500;

const keyOf = ({ title_id, ingest_id, span }) => JSON.stringify([title_id, ingest_id, span.start, span.end]);

function tally(clips) {
  const count = new Map();
  for (const one of clips) count.set(keyOf(one), (count.get(keyOf(one)) ?? 0) + 1);
  return count;
}

/** Clips less those that were added: the last of their like, and no more than there are now beyond those `before`. */
function without(clips, added, before) {
  const [now, once, less] = [clips, before, added].map(tally);
  const left = [];
  for (const one of [...clips].reverse()) {
    const key = keyOf(one);
    if (less.get(key) > 0 && now.get(key) > (once.get(key) ?? 0)) {
      less.set(key, less.get(key) - 1);
      now.set(key, now.get(key) - 1);
    } else left.push(one);
  }
  return left.reverse();
}

/** The panel. `on`: {point(i), clear(), onopen(open)}. */
export function selectionPanel(data, on) {
  const title = h("h2", { class: "atlas-count", tabindex: -1 });
  const about = h("p", { class: "quiet" });
  const list = h("div", { class: "atlas-list", role: "list" });
  const player = h("button", { class: "button primary", type: "button", onclick: () => start(0) }, icon("play"), "Play");
  const keeper = h("button", { class: "button", type: "button", onclick: () => keep() }, icon("basket"), "Add all");
  const closer = h("button", { class: "tool", type: "button", "aria-label": "Clear the selection", title: "Clear (Esc)", onclick: () => on.clear() }, icon("close"));
  const body = h("div", { class: "atlas-scroll", tabindex: 0, role: "region", "aria-label": "The selected shots" }, list);
  const element = h("aside", { class: "atlas-panel", "aria-label": "Selected shots", hidden: true },
    h("header", {}, h("div", { class: "atlas-panel-head" }, title, closer), about, h("div", { class: "atlas-actions" }, player, keeper)),
    body);
  let ids = new Uint32Array(0);
  let said = "";
  let clip = null; // `(i)` gives the shot; there once it is known when shots are
  let turn = 0;
  let waiting = false;
  const rows = new Map();

  const clips = (held, times) => (i) => {
    const { title: one, shot } = data.of(i, held);
    return { title_id: one.title_id, title: one.title, ingest_id: one.ingest_id, shot, span: times(i), rate: one.frame_rate, timecode: one.timecode, poster: one.poster };
  };

  function row(place) {
    const i = ids[place];
    const one = clip(i);
    const name = `shot ${one.shot} of ${one.title}`;
    const shot = picture(keyframeUrl(one));
    const item = h("div", { class: "atlas-row", role: "listitem", "aria-setsize": ids.length, "aria-posinset": place + 1 },
      link(`/titles/${encodeURIComponent(one.title_id)}?t=${one.span.start}`, { class: "atlas-row-open" },
        shot,
        h("span", { class: "atlas-row-words" },
          h("span", { class: "atlas-row-title" }, one.title, h("span", { class: "hidden" }, `, shot ${one.shot},`)),
          h("span", { class: "times quiet" }, `${timeOf(one.span.start, one.rate, one.timecode)} · ${((one.span.end - one.span.start) / 1e6).toFixed(1)} s`))),
      h("button", { class: "tool", type: "button", title: "Add to the basket", "aria-label": `Add to the basket: ${name}`, onclick: () => {
        basket.add(toKeep(one));
        toast("In the basket");
      } }, icon("plus")));
    item.style.transform = `translateY(${place * ROW}px)`;
    item.addEventListener("pointerenter", () => on.point(i));
    item.addEventListener("focusin", () => on.point(i));
    return item;
  }

  const toKeep = (one) => ({ ...one, name: "" });

  /** Only rows in sight are there, however many shots are selected. */
  function see() {
    waiting = false;
    if (!clip) return;
    const first = Math.max(0, Math.floor(body.scrollTop / ROW) - BEYOND);
    const end = Math.min(ids.length, Math.ceil((body.scrollTop + body.clientHeight) / ROW) + BEYOND);
    for (const [place, node] of rows) {
      if ((place < first || place >= end) && !node.contains(document.activeElement)) {
        node.remove();
        rows.delete(place);
      }
    }
    for (let place = end - 1; place >= first; place--) {
      if (rows.has(place)) continue;
      const node = row(place);
      list.insertBefore(node, rows.get(place + 1) ?? null);
      rows.set(place, node);
    }
  }

  const soon = () => {
    if (waiting || !clip) return;
    waiting = true;
    requestAnimationFrame(see);
  };
  body.addEventListener("scroll", soon, { passive: true });
  new ResizeObserver(soon).observe(body);

  function keep() {
    const before = basket.items();
    const some = Array.from(ids.subarray(0, MOST_KEPT), (i) => toKeep(clip(i)));
    basket.add(...some);
    toast(ids.length > MOST_KEPT ? `The first ${MOST_KEPT} are in the basket` : `${many(some.length, "clip")} in the basket`, {
      action: { label: "Undo", run: () => {
        const left = without(basket.items(), some, before);
        basket.clear();
        basket.add(...left);
      } },
    });
  }

  const start = (at) => play(ids, clip, { at, onshot: on.point });

  /** Shows shots; `from` says where they come from. */
  async function show(next, from = "", focus = false) {
    const mine = ++turn;
    ids = next;
    said = from;
    clip = null;
    element.hidden = !ids.length && !said;
    on.onopen(!element.hidden);
    if (element.hidden) return;
    const titles = new Set();
    for (let place = 0, end = 0; place < ids.length; place++) {
      if (ids[place] < end) continue; // in order: of the same title as the one before
      const { title: one } = data.of(ids[place]);
      end = one.first + one.shots;
      titles.add(one.title_id);
    }
    title.textContent = many(ids.length, "shot");
    about.textContent = [ids.length ? `from ${many(titles.size, "title")}` : "", said].filter(Boolean).join(" · ");
    player.disabled = keeper.disabled = true;
    list.replaceChildren();
    rows.clear();
    list.style.height = `${ids.length * ROW}px`;
    const held = data.held();
    try {
      const times = await data.times();
      if (mine !== turn) return;
      clip = clips(held, times);
    } catch (error) {
      if (mine === turn) about.textContent = error.message;
      return;
    }
    player.disabled = keeper.disabled = !ids.length;
    body.scrollTop = 0;
    see();
    if (focus) title.focus({ preventScroll: true });
  }

  return { element, show, ids: () => ids, said: () => said };
}
