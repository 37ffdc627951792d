/** The timeline of a title: tracks on a canvas, drawn when something changed, and only what is in sight. */

import { clear, h } from "../dom.js";
import { RULER, SHOTS, drawRuler } from "./draw-shots.js";
import { makeHover } from "./hover.js";
import { makePalette, makeText } from "./palette.js";
import { bindPointers, bindScrollbar } from "./pointer.js";
import { makeScale } from "./scale.js";
import { makeSprites } from "./sprites.js";

const TOP = RULER + SHOTS;
const GAP = 2;
const SNAP = 6; // pixels
const ANNOUNCE = 700; // ms of rest before the shot is said
const LEAP = 2.5e6; // us: more than playing goes on between two frames, at any speed

function size(canvas, width, height) {
  const ratio = Math.min(2, window.devicePixelRatio || 1);
  const [w, t] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== t) {
    canvas.width = w;
    canvas.height = t;
    canvas.style.height = `${height}px`;
  }
  const g = canvas.getContext("2d");
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  g.clearRect(0, 0, width, height);
  return g;
}

/** The timeline; `lanes` come from makeLanes, `words` says times, `deck` moves. */
export function makeTimeline({ title, timeline, stage, lanes: tracks, words, deck, answers, finder }) {
  const { lanes } = tracks;
  const text = makeText();
  let planned = 0;
  let dirty = false; // the canvases; playhead, marks and preview move without them
  let pointed;
  let places = [];
  let total = 0;

  const ruler = h("canvas", { class: "tl-ruler", "aria-hidden": "true" });
  const base = h("canvas", { class: "tl-lanes", "aria-hidden": "true" });
  const notes = h("div", { class: "tl-notes" });
  const range = h("div", { class: "tl-range", hidden: true });
  const head = h("div", { class: "tl-playhead" });
  const ghost = h("div", { class: "tl-ghost", hidden: true });
  const view = h(
    "div",
    { class: "tl-view", role: "slider", tabindex: 0, "aria-label": "Timeline", "aria-valuemin": 0, "aria-valuenow": 0,
      "aria-orientation": "horizontal", "aria-valuemax": Math.max(1, Math.round(stage.duration / 1000)) },
    ruler, base, h("div", { class: "tl-over" }, range, ghost, head),
  );
  const heads = h("div", { class: "tl-heads" });
  const body = h("div", { class: "tl-body" }, heads, h("div", { class: "tl-main" }, view, notes));
  const thumb = h("div", { class: "tl-thumb" });
  const bar = h(
    "div",
    { class: "tl-scroll", role: "scrollbar", "aria-label": "What the timeline shows", tabindex: -1,
      "aria-orientation": "horizontal", "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": 0,
      "aria-controls": "timeline-tracks" },
    thumb,
  );
  body.id = "timeline-tracks";
  const live = h("p", { class: "hidden", role: "status", "aria-live": "polite" });

  const scale = makeScale({ duration: stage.duration, frame: words.frame, onchange: draw });
  const palette = makePalette(() => draw());
  const sprites = makeSprites({ title, strip: timeline.strip, onready: draw });
  const hover = makeHover({ title, stage, sprites, finder, words });
  const el = h("section", { class: "timeline", "aria-label": "Timeline" }, body, bar, hover.el, live);
  const place = bindScrollbar(bar, thumb, scale, look);
  const env = {
    scale, text, words, stage, sprites, timeline, finder,
    get colours() { return palette.colours; },
  };

  function plan() {
    planned ||= requestAnimationFrame(paint);
  }

  function draw() {
    dirty = true;
    plan();
  }

  function paint() {
    planned = 0;
    if (!el.isConnected) return;
    if (pointed !== undefined) preview(pointed);
    pointed = undefined;
    move();
    if (!dirty) return;
    dirty = false;
    drawRuler(size(ruler, scale.width, TOP), env);
    const g = size(base, scale.width, total);
    for (const { lane, y } of places) {
      if (!lane.note && lane.ready) lane.draw(g, env, y, lane.height);
    }
    place();
  }

  function layOut() {
    clear(heads);
    clear(notes);
    heads.append(h("div", { class: "tl-corner" }, "Shots"));
    places = [];
    share(lanes.filter((lane) => !lane.folded));
    let y = GAP;
    for (const lane of lanes) {
      if (lane.folded) continue;
      places.push({ lane, y });
      heads.append(headOf(lane));
      if (lane.note || !lane.ready) {
        const note = h("p", { class: lane.failed ? "tl-note failed" : "tl-note" }, lane.note || "Loading…");
        note.style.top = `${TOP + y}px`;
        note.style.height = `${lane.height}px`;
        notes.append(note);
      }
      y += lane.height + GAP;
    }
    total = y;
    draw();
  }

  /** Gives the height that is left to the tracks that can use it, the first of them first. */
  function share(shown) {
    const elastic = shown.filter((lane) => lane.least);
    const column = !body.isConnected || getComputedStyle(body).flexGrow === "0"; // there, the page scrolls
    for (const lane of elastic) lane.height = column ? lane.usual : lane.least;
    if (column) return;
    let left = body.clientHeight - TOP - GAP - shown.reduce((sum, lane) => sum + lane.height + GAP, 0);
    for (const lane of elastic) {
      const more = Math.max(0, Math.min(left, lane.most - lane.least));
      lane.height += more;
      left -= more;
    }
  }

  function headOf(lane) {
    const rows = lane.rows?.length ? lane.rows.map((row) => row.name) : null;
    const node = h(
      "button",
      { type: "button", class: "tl-head", title: lane.title ? `${lane.title}. Click to fold` : "Click to fold",
        "aria-label": `Fold ${[lane.label, ...(rows ?? [])].join(" ")}`, onclick: () => fold(lane, true) },
      h("span", { class: "tl-head-name" }, lane.label),
      rows && h("span", { class: "tl-head-rows", "aria-hidden": "true" }, rows.flatMap((name) => [h("span", {}, name), " "])),
    );
    node.style.height = `${lane.height}px`;
    return node;
  }

  const folds = new Set();

  function fold(lane, folded) {
    lane.folded = folded;
    layOut();
    folds.forEach((listen) => listen());
  }

  function move() {
    const { time, markIn, markOut } = stage.state;
    head.style.transform = `translateX(${scale.x(time)}px)`;
    const marked = stage.marked();
    range.hidden = !marked;
    if (marked) {
      const [from, to] = [Math.max(-4, scale.x(marked.start)), Math.min(scale.width + 4, scale.x(marked.end))];
      range.style.transform = `translateX(${from}px)`;
      range.style.width = `${Math.max(0, to - from)}px`;
      range.classList.toggle("open-in", markIn === null);
      range.classList.toggle("open-out", markOut === null);
    }
  }

  // While it plays, the view goes with the playhead, until somebody looks elsewhere.
  let following = true;
  let last = stage.state.time;
  let ran = false;
  let stopping = false;

  function look() {
    following = false;
  }

  function onPlaying() {
    const { playing } = stage.state;
    if (playing === ran) return;
    ran = playing;
    following ||= playing;
    // Where it stopped is told at once, and is no wish to go there.
    stopping = !playing;
    queueMicrotask(() => (stopping = false));
  }

  function follow() {
    const { time, playing, speed } = stage.state;
    const x = scale.x(time);
    if (Math.abs(time - last) > LEAP || (x >= 0 && x <= scale.width)) following = true;
    else if (!playing && !stopping) following = true;
    last = time;
    if (following && !scrubbing() && !view.classList.contains("panning")) scale.reveal(time, playing && speed > 0 ? 0.04 : 0.5);
  }

  function onTime() {
    const { time } = stage.state;
    follow();
    plan();
    view.setAttribute("aria-valuenow", String(Math.round(time / 1000)));
  }

  let resting = 0;

  function onShot() {
    draw();
    const { shot, time, playing } = stage.state;
    const span = stage.span();
    const lasts = ((span.end - span.start) / 1e6).toFixed(1);
    view.setAttribute("aria-valuetext", `${words.time(time)}, shot ${shot}`);
    clearTimeout(resting);
    if (playing || shot < 0) return;
    resting = setTimeout(() => {
      const said = finder.within(span.start, span.end).map((cue) => cue.text).join(" ");
      live.textContent = `Shot ${shot}, ${lasts} seconds${said ? `: ${said}` : ""}`;
    }, ANNOUNCE);
  }

  /** What the pointer is over is looked up once a frame, before anything is written. */
  function onHover(event) {
    pointed = event;
    plan();
  }

  function preview(event) {
    const box = view.getBoundingClientRect();
    const x = event ? event.clientX - box.left : -1;
    if (!event || event.pointerType === "touch" || x < 0 || x > box.width) {
      ghost.hidden = true;
      return hover.hide();
    }
    const time = scale.time(x);
    ghost.hidden = false;
    ghost.style.transform = `translateX(${x}px)`;
    const y = event.clientY - base.getBoundingClientRect().top;
    const at = places.find((one) => y >= one.y && y < one.y + one.lane.height);
    const line = at && at.lane.ready && !at.lane.note
      ? at.lane.about?.(time, scale.perPixel, (y - at.y) / at.lane.height) ?? ""
      : "";
    hover.show(x + box.left - el.getBoundingClientRect().left, time, line, el.clientWidth);
  }

  const onFrame = (time) => (title.frame_rate ? Math.round(Math.floor((time + 1) / words.frame) * words.frame) : Math.round(time));

  /** The cut that is near, or else the frame: people mark whole shots. */
  function onCut(time) {
    const shot = stage.shotAt(time);
    const near = [stage.starts[shot], stage.ends[shot]].find((cut) => Math.abs(cut - time) < SNAP * scale.perPixel);
    return near ?? onFrame(time);
  }

  const scrubbing = bindPointers(view, scale, {
    scrubs: (event) => event.clientY - ruler.getBoundingClientRect().top < TOP,
    seek: (time) => deck.seek(onFrame(time)),
    mark: (start, end) => stage.set({ markIn: onCut(start), markOut: onCut(end) }),
    hover: onHover,
    look,
  });

  let tall = 0;
  const observer = new ResizeObserver(() => {
    scale.resize(view.clientWidth);
    if (body.clientHeight !== tall) layOut();
    tall = body.clientHeight;
  });
  observer.observe(view);
  observer.observe(body);
  const stop = [
    stage.on("time", onTime),
    stage.on("playing", onPlaying),
    stage.on("marks", plan),
    stage.on("shot", onShot),
    answers.subscribe(() => {
      tracks.judge();
      draw();
    }),
  ];
  layOut();
  onShot();

  return {
    el,
    scale,
    lanes,
    fold,
    /** Calls `listen` when a track is folded or unfolded. */
    onfold: (listen) => folds.add(listen),
    /** Loads what takes longer. */
    load: () => tracks.load(layOut),
    zoom: (factor) => scale.zoom(factor, Math.max(0, Math.min(scale.x(stage.state.time), scale.width))),
    destroy() {
      cancelAnimationFrame(planned);
      clearTimeout(resting);
      observer.disconnect();
      stop.forEach((off) => off());
      palette.destroy();
      sprites.destroy();
      hover.hide();
    },
  };
}
