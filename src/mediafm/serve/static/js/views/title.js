/** One title: player, timeline, and what is known of it. */

import { api } from "../api.js";
import { many } from "../count.js";
import { h } from "../dom.js";
import { aboutPanel } from "../parts/about-panel.js";
import { makeAnswers } from "../parts/answers.js";
import { makeInspector } from "../parts/inspector.js";
import { marksBar } from "../parts/marks.js";
import { keepPlace, placeOf } from "../parts/place.js";
import { cueFinder, makePlayer } from "../parts/player.js";
import { shotPanel } from "../parts/shot-panel.js";
import { similarPanel } from "../parts/similar-panel.js";
import { similarityPanel } from "../parts/similarity.js";
import { makeStage } from "../parts/stage.js";
import { suggestionsPanel } from "../parts/suggestions-panel.js";
import { tagsPanel } from "../parts/tags-panel.js";
import { titleData } from "../parts/title-data.js";
import { bindKeys } from "../parts/title-keys.js";
import { makeTransport } from "../parts/transport.js";
import { wordsOf } from "../parts/words.js";
import { store } from "../store.js";
import { clock } from "../time.js";
import { makeLanes } from "../timeline/lanes.js";
import { makePalette } from "../timeline/palette.js";
import { makeTimeline } from "../timeline/timeline.js";
import { makeToolbar } from "../timeline/toolbar.js";

const PANELS = [
  ["shot", "Shot", shotPanel],
  ["similar", "More like this", similarPanel],
  ["tags", "Tags", tagsPanel],
  ["suggestions", "Suggestions", suggestionsPanel],
  ["map", "Similarity", similarityPanel],
  ["about", "About", aboutPanel],
];

const SPLIT = { least: 24, most: 65, usual: window.innerHeight > 900 ? 38 : 43 };

/** Name and facts of the title. */
function heading(title) {
  const part = [
    title.series_id,
    [title.season ? `S${title.season}` : "", title.episode ? `E${title.episode}` : ""].join(" ").trim(),
    title.year,
    title.genres.slice(0, 3).join(", "),
    clock(title.duration),
    many(title.shots, "shot"),
  ].filter(Boolean);
  return h("header", { class: "title-head" },
    h("h1", {}, title.title),
    h("p", { class: "title-facts" }, part.map((one) => h("span", {}, one))));
}

/** The bar between viewer and timeline: dragged, or moved by arrows. */
function splitter(page) {
  const kept = store("title-split", SPLIT.usual);
  const bar = h("div", { class: "splitter", role: "separator", tabindex: 0, "aria-orientation": "horizontal",
    "aria-label": "Height of the timeline", "aria-valuemin": SPLIT.least, "aria-valuemax": SPLIT.most });

  function put(share, keep = true) {
    const value = Math.round(Math.max(SPLIT.least, Math.min(SPLIT.most, Number(share) || SPLIT.usual)));
    page.style.setProperty("--timeline-share", `${value}%`);
    bar.setAttribute("aria-valuenow", String(value));
    if (keep) kept.set(value);
  }

  bar.addEventListener("pointerdown", (event) => {
    bar.setPointerCapture(event.pointerId);
    const move = (at) => {
      const box = page.getBoundingClientRect();
      put((100 * (box.bottom - at.clientY)) / box.height);
    };
    bar.addEventListener("pointermove", move);
    bar.addEventListener("lostpointercapture", () => bar.removeEventListener("pointermove", move), { once: true });
  });
  bar.addEventListener("dblclick", () => put(SPLIT.usual));
  bar.addEventListener("keydown", (event) => {
    const by = { ArrowUp: 3, ArrowDown: -3 }[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    put(Number(bar.getAttribute("aria-valuenow")) + by);
  });
  put(kept.get(), false);
  return bar;
}

/** The view of /titles/{id}. */
export async function titleView(root, params, query, signal) {
  const id = params.id ?? params.title_id;
  const version = query.get("version") || null;
  const path = `/titles/${encodeURIComponent(id)}`;
  const cleanups = [];
  const [title, timeline] = await Promise.all([path, `${path}/timeline`].map((one) => api.get(one, null, { signal })));
  signal.throwIfAborted();

  const stage = makeStage({ duration: title.duration, starts: timeline.start, ends: timeline.end });
  const words = wordsOf(title);
  stage.frame = words.frame;
  const finder = cueFinder(timeline.cues);
  const data = titleData(title, version, signal);
  const answers = makeAnswers(id);
  let catalog = null;
  const about = {
    title, timeline, stage, words, finder, data, answers, version,
    cues: timeline.cues,
    catalog: () => (catalog ??= api.get("/catalog").catch((error) => {
      catalog = null;
      throw error;
    })),
    onclean: (act) => cleanups.push(act),
    ontheme: (act) => cleanups.push(makePalette(act).destroy),
    open: (panel) => inspector.open(panel),
  };

  const player = makePlayer({ title, stage, finder, frame: words.frame });
  about.player = player;
  about.deck = player.deck;
  const transport = makeTransport(about);
  const lanes = makeLanes({ timeline, data, answers });
  const track = makeTimeline({ title, timeline, stage, lanes, words, deck: player.deck, answers, finder });
  const inspector = makeInspector(about, PANELS.map(([panel, label, make]) =>
    ({ id: panel, label, make: (live) => make(about, live) })));

  const page = h("div", { class: "title-page" });
  const toolbar = makeToolbar({ timeline: track, stage }, marksBar(about));
  track.el.prepend(toolbar);
  page.append(
    h("div", { class: "title-main" }, heading(title), player.el, transport.el),
    inspector.el,
    splitter(page),
    track.el,
  );
  root.append(page);
  document.title = `${title.title} · mediafm`;
  document.documentElement.classList.add("app-page");

  cleanups.push(
    () => document.documentElement.classList.remove("app-page"),
    bindKeys({ ...about, timeline: track, transport }),
    () => transport.destroy(),
    () => inspector.destroy(),
    () => track.destroy(),
    () => player.destroy(),
  );
  const place = placeOf(query, title);
  if (place.time > 0) player.deck.seek(place.time);
  stage.set({ markIn: place.markIn, markOut: place.markOut });
  inspector.open(PANELS.some(([panel]) => panel === place.panel) ? place.panel : "shot");
  cleanups.push(keepPlace(stage));

  // What is seen first is there; now what takes probes, scenes, or a file.
  answers.ready = answers.load().catch(() => {});
  requestAnimationFrame(() => setTimeout(() => {
    if (signal.aborted) return;
    player.open();
    track.load();
  }, 0));
  return () => cleanups.forEach((act) => act?.());
}

export default titleView;
