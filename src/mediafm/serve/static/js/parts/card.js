/** Cards: a title in the catalog, a shot that was found. */

import { keyframeUrl, posterUrl } from "../api.js";
import { h } from "../dom.js";
import { link } from "../router.js";
import { clock, timeOf } from "../time.js";
import { skim } from "./skim.js";

const ORDER = { words: "words", text: "text", video: "picture", audio: "sound" };

/** A picture in a box of its shape, or the box where there is none. */
export function picture(address, shape = 16 / 9) {
  const box = h("div", { class: "picture" });
  box.style.aspectRatio = String(shape);
  if (!address) return box;
  const image = h("img", { src: address, alt: "", loading: "lazy", decoding: "async" });
  image.addEventListener("error", () => image.remove());
  box.append(image);
  return box;
}

/** What speaks for a hit, the strongest first: `text .81`. */
export function reasons(because) {
  return Object.entries(because ?? {})
    .filter(([, value]) => value >= 0.005)
    .sort(([, a], [, b]) => b - a)
    .map(([name, value]) => h("span", { class: `chip reason ${name}` }, `${ORDER[name] ?? name} `,
      h("span", { class: "figure" }, value >= 1 ? value.toFixed(1) : value.toFixed(2).replace(/^0/, ""))));
}

/** The address of a hit's title at its time. */
export function hitPath(hit) {
  return `/titles/${encodeURIComponent(hit.title_id)}?t=${hit.span.start}`;
}

/** A shot: `onopen` instead of a link, `actions` below, `said` (a node) instead of its words. */
export function shotCard(hit, { score = false, why = false, onopen = null, actions = null, said = null } = {}) {
  const shown = picture(keyframeUrl(hit));
  shown.append(h("span", { class: "picture-time" }, clock(hit.span.start)));
  skim(shown, hit, hit.shot);
  const inside = [
    shown,
    h("span", { class: "card-title" }, hit.title),
    h("span", { class: "card-times" }, timeOf(hit.span.start, hit.frame_rate, hit.timecode), score && h("span", { class: "card-score", title: "Cosine with what you asked about" }, hit.score.toFixed(2))),
  ];
  const opener = link(hitPath(hit), { class: "card-open" }, inside);
  if (onopen) {
    opener.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      onopen(hit);
    });
  }
  const words = said ?? (hit.cue || hit.text);
  return h("article", { class: "card shot-card" }, opener,
    words && h("p", { class: "card-said" }, words),
    (why || actions) && h("div", { class: "card-foot" },
      h("div", { class: "chips" }, why && reasons(hit.because)),
      actions && h("div", { class: "card-actions" }, actions)));
}

/** A title. */
export function titleCard(title) {
  const shape = 16 / 9;
  const poster = picture(title.poster ? posterUrl(title) : null, shape);
  if (title.poster) skim(poster, title);
  else poster.append(h("span", { class: "picture-none" }, title.kind === "podcast" ? "sound only" : "no pictures"));
  poster.append(h("span", { class: "picture-time" }, clock(title.duration)));
  const part = title.season || title.episode
    ? [title.season && `S${title.season}`, title.episode && `E${title.episode}`].filter(Boolean).join(" ")
    : null;
  const facts = [title.series_id, part, title.year, title.genres[0]].filter(Boolean);
  return h("article", { class: "card title-card" },
    link(`/titles/${encodeURIComponent(title.title_id)}`, { class: "card-open" },
      poster,
      h("span", { class: "card-title" }, title.title),
      h("span", { class: "card-facts" }, facts.length ? facts.map((fact) => h("span", {}, String(fact))) : h("span", {}, title.kind))));
}
