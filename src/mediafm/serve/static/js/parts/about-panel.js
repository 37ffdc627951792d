/** The title as a whole: what it is, what its file is, and titles like it. */

import { h } from "../dom.js";
import { link } from "../router.js";
import { clock } from "../time.js";
import { fill, notesOf } from "./inspector.js";

const STATES = {
  direct: "plays as it is",
  proxy: "plays by a proxy",
  missing: "the file is missing",
  refused: "may not be served",
  none: "no file: imported features",
};

function facts(pairs) {
  return h("dl", { class: "facts list" },
    pairs.filter(([, value]) => value !== null && value !== undefined && value !== "" && value !== 0)
      .map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

function rateOf(rate) {
  if (!rate) return null;
  const [over, under = 1] = String(rate).split("/").map(Number);
  return `${Number((over / under).toFixed(3))} frames per second`;
}

function like(hit) {
  const because = Object.entries(hit.because).map(([name, value]) => `${name} ${value.toFixed(2)}`).join(", ");
  return h("li", {},
    link(`/titles/${encodeURIComponent(hit.title_id)}`, { class: "like-title" },
      h("span", { class: "like-name" }, hit.title),
      h("span", { class: "like-score" }, hit.score.toFixed(2))),
    because ? h("span", { class: "quiet" }, because) : null);
}

/** The panel "About". */
export function aboutPanel({ title, data }) {
  const near = h("div", {});
  const body = h("div", { class: "about-panel" },
    h("h2", {}, title.title),
    title.synopsis ? h("p", { class: "synopsis" }, title.synopsis) : h("p", { class: "quiet" }, "No synopsis."),
    title.genres.length ? h("p", { class: "chips" }, title.genres.map((one) => h("span", { class: "chip strong" }, one))) : null,
    title.tags.length ? h("p", { class: "chips" }, title.tags.map((one) => h("span", { class: "chip" }, one))) : null,
    facts([
      ["Kind", title.kind],
      ["Series", title.series_id],
      ["Season", title.season],
      ["Episode", title.episode],
      ["Year", title.year],
      ["Length", clock(title.duration)],
      ["Shots", title.shots],
      ["Cues", title.cues],
    ]),
    h("h3", {}, "File"),
    facts([
      ["Picture", title.width ? `${title.width} × ${title.height}` : "none"],
      ["Rate", rateOf(title.frame_rate) ?? "not constant, or unknown"],
      ["Starts at", title.timecode],
      ["Media", [STATES[title.media.state] ?? title.media.state, title.media.type].filter(Boolean).join(" · ")],
      ["Why", title.media.state === "direct" ? null : title.media.why],
      ["Embedded", title.embedded ? "yes" : "no: run mediafm embed"],
      ["Id", title.title_id],
    ]),
    notesOf(title.notes),
    h("h3", {}, "Titles like it"),
    near);
  fill(near, () => data.coldStart(), (found) => [
    found.nearest.length ? h("ul", { class: "like-titles" }, found.nearest.map(like)) : h("p", { class: "quiet" }, "None."),
    found.tags.length ? h("h3", {}, "As a whole it looks like") : null,
    found.tags.length ? facts(found.tags.map((one) => [one.probe, (one.names ?? one.tags ?? []).join(", ") || "–"])) : null,
    notesOf(found.notes),
  ]);
  return body;
}
