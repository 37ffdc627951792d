/** The marked clip: its controls, and what becomes of it. */

import { basket } from "../basket.js";
import { h } from "../dom.js";
import { frameAt, frameNear, frameTime } from "../time.js";
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
    poster: title.poster,
  });
  toast("In the basket", { kind: "ok" });
}

/** What is marked, or else the current shot. */
export const chosen = (stage) => stage.marked() ?? stage.span();

/** The frame on screen. Edit lists count whole frames: a mark within one would go to its neighbour. */
function seen({ state: { time }, rate, frame, duration }) {
  if (!rate) return { start: time, end: Math.min(duration, Math.round(time + frame)) };
  const last = Math.max(0, frameNear(duration, rate) - 1);
  const number = Math.min(frameAt(time, rate), last);
  return { start: frameTime(number, rate), end: Math.min(duration, frameTime(number + 1, rate)) };
}

/** Sets in or out; a mark that would turn the clip round moves the other away. */
export function mark(stage, which) {
  const { markIn, markOut } = stage.state;
  const { start, end } = seen(stage);
  if (which === "in") stage.set({ markIn: start, markOut: markOut !== null && markOut <= start ? null : markOut });
  // The out point is exclusive: the frame that is seen still belongs to the clip.
  else stage.set({ markOut: end, markIn: markIn !== null && markIn >= end ? null : markIn });
}

/** In and out with their times, length, and what can be done with the clip. */
export function marksBar(about) {
  const { title, stage, words, deck } = about;
  const rate = title.frame_rate;
  // As edit lists have it, also where a mark came from elsewhere.
  const timeAt = (us) => words.time(rate ? frameTime(frameNear(us, rate), rate) : us);
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
    button({ class: "button quiet marks-out", title: "Mark out (O): the first frame that is no longer in the clip", onclick: () => mark(stage, "out") }, "Out ", outTime),
    lasts, play, drop, add,
  );

  function update() {
    const { markIn, markOut } = stage.state;
    const marked = stage.marked();
    inTime.textContent = markIn === null ? "–" : timeAt(markIn);
    outTime.textContent = markOut === null ? "–" : timeAt(markOut);
    lasts.textContent = marked ? words.length(marked) : "";
    play.hidden = drop.hidden = !marked;
    add.textContent = marked ? "Add clip" : "Add shot";
    el.classList.toggle("on", Boolean(marked));
  }

  stage.on("marks", update);
  update();
  return el;
}
