/** The marked clip: its controls, and what becomes of it. */

import { basket } from "../basket.js";
import { h } from "../dom.js";
import { toast } from "../toast.js";

/** Puts a span of a title into the basket. */
export function toBasket({ title, stage, finder }, span, name) {
  const shot = stage.shotAt(span.start);
  const said = finder.within(span.start, span.end).map((cue) => cue.text.replace(/\s+/g, " ")).join(" ");
  basket.add({
    title_id: title.title_id,
    title: title.title,
    ingest_id: title.ingest_id,
    shot,
    span,
    name: name || said.slice(0, 60) || `Shot ${shot}`,
    rate: title.frame_rate,
    timecode: title.timecode,
  });
  toast("In the basket", { kind: "ok" });
}

/** What is marked, or else the current shot. */
export const chosen = (stage) => stage.marked() ?? stage.span();

/** Sets in or out; a mark that would turn the clip round moves the other away. */
export function mark(stage, which) {
  const { time, markIn, markOut } = stage.state;
  if (which === "in") stage.set({ markIn: time, markOut: markOut !== null && markOut <= time ? null : markOut });
  else {
    // The out point is exclusive: the frame that is seen still belongs to the clip.
    const out = Math.min(stage.duration, Math.round(time + stage.frame));
    stage.set({ markOut: out, markIn: markIn !== null && markIn >= out ? null : markIn });
  }
}

/** In and out with their times, length, and what can be done with the clip. */
export function marksBar(about) {
  const { stage, words, deck } = about;
  const inTime = h("span", { class: "marks-time" }, "–");
  const outTime = h("span", { class: "marks-time" }, "–");
  const lasts = h("span", { class: "marks-length" });
  const button = (props, ...children) => h("button", { type: "button", class: "button quiet", ...props }, ...children);
  const play = button({ title: "Play the marked clip",
    onclick: () => deck.playSpan(stage.marked()) }, "Play");
  const drop = button({ title: "Clear marks (X)",
    onclick: () => stage.set({ markIn: null, markOut: null }) }, "Clear");
  const add = button({ title: "Add the marked clip, or else the shot, to the basket (B)",
    onclick: () => toBasket(about, chosen(stage)) }, "Add shot");
  const el = h(
    "div",
    { class: "marks", role: "group", "aria-label": "Marked clip" },
    button({ class: "button quiet marks-in", title: "Mark in (I)", onclick: () => mark(stage, "in") }, "In ", inTime),
    button({ class: "button quiet marks-out", title: "Mark out (O)", onclick: () => mark(stage, "out") }, "Out ", outTime),
    lasts, play, drop, add,
  );

  function update() {
    const { markIn, markOut } = stage.state;
    const marked = stage.marked();
    inTime.textContent = markIn === null ? "–" : words.time(markIn);
    outTime.textContent = markOut === null ? "–" : words.time(markOut);
    lasts.textContent = marked ? words.length(marked) : "";
    play.hidden = drop.hidden = !marked;
    add.textContent = marked ? "Add clip" : "Add shot";
    el.classList.toggle("on", Boolean(marked));
  }

  stage.on("marks", update);
  update();
  return el;
}
