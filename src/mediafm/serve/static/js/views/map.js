/** The map: all shots of the catalog at a glance, to look round in, select and play. */

import { api, keyframeUrl } from "../api.js";
import { many } from "../count.js";
import { h, icon, s } from "../dom.js";
import { hues, parse, pixel } from "../map/colours.js";
import { mapData } from "../map/data.js";
import { groupsOf } from "../map/groups.js";
import { legend } from "../map/legend.js";
import { selectionPanel } from "../map/selection.js";
import { makeStage } from "../map/stage.js";
import { go } from "../router.js";
import { timeOf } from "../time.js";

const MOST_FOUND = 300;

const lassoIcon = () => s("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" },
  s("path", { d: "M12 4c5 0 9 2.5 9 6s-4 6-9 6-9-2.5-9-6 4-6 9-6z", "stroke-dasharray": "3 3" }), s("path", { d: "M7 15.5c-1.5 1-1 3 .5 3s2 2 .5 3.5" }));

const fitIcon = () => s("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" },
  s("path", { d: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5" }));

/** The view of `/map`. */
export default async function view(root, _params, query, signal = new AbortController().signal) {
  signal.throwIfAborted();
  document.title = "Map · mediafm";
  const catalog = await api.get("/catalog", null, { signal });
  signal.throwIfAborted();
  if (!catalog.versions.length) {
    root.append(nothing("There is no map yet", "It shows the contextual embeddings of all shots, and this catalog has none. Make some:",
      "mediafm pretrain\nmediafm embed"));
    return null;
  }
  const version = query.get("version") || catalog.version;
  const page = h("div", { class: "atlas" });
  const card = h("div", { class: "atlas-card", hidden: true, "aria-hidden": "true" });
  const state = h("div", { class: "atlas-state", role: "status", hidden: true });
  const said = h("span", { class: "quiet", role: "status" });
  let way = query.get("colour") || (catalog.series.length > 1 && catalog.titles > 12 ? "series" : "title");
  let groups = null;
  let hovered = -1;
  let picking = false;
  let fresh = true;
  let shownPictures = [];
  let remembering = 0; // before the stage: it tells of its view at once

  const stage = makeStage({
    near: hover,
    chosen: (ids, add) => select(add ? merged(panel.ids(), ids) : ids, "", true),
    clear: () => select(new Uint32Array(0)),
    picked() {
      if (hovered >= 0) select(Uint32Array.of(hovered));
      else picking = true;
    },
    view: () => {
      movePictures();
      remember();
    },
    pictures: showPictures,
  });
  const data = mapData(version, arrived, (error) => {
    state.hidden = false;
    state.replaceChildren(h("p", { class: "problem" }, error.message), h("button", { class: "button", type: "button", onclick: data.look }, "Try again"));
  }, signal);
  const panel = selectionPanel(data, {
    point: (i) => stage.tell("marks", { ids: i < 0 ? [] : [i] }),
    clear: () => select(new Uint32Array(0)),
    onopen(open) {
      if (open === page.classList.contains("with-panel")) return;
      if (matchMedia("(min-width: 900px)").matches) stage.keep(); // else the map is drawn smaller, above
      page.classList.toggle("with-panel", open);
    },
  });
  const key = legend({ point: (group) => stage.tell("only", { group }), choose: (group) => stage.group(group) });

  const lasso = h("button", { class: "tool", type: "button", "aria-pressed": "false", title: "Lasso (Shift+drag)", onclick: () => {
    const on = lasso.getAttribute("aria-pressed") !== "true";
    lasso.setAttribute("aria-pressed", String(on));
    stage.lasso(on);
  } }, lassoIcon(), h("span", {}, "Lasso"));
  const tool = (name, mark, act) => h("button", { class: "tool", type: "button", title: name, "aria-label": name, onclick: act }, mark);
  const colour = h("select", { class: "input", "aria-label": "Colour by", onchange: () => {
    way = colour.value;
    remember();
    paint();
  } },
  h("option", { value: "title" }, "by title"), catalog.series.length ? h("option", { value: "series" }, "by series") : null,
  catalog.probes.filter(({ kind, classes }) => kind !== "ranking" && classes.length).map(({ name }) => h("option", { value: `probe:${name}` }, `by ${name}`)));
  colour.value = way;
  if (!colour.value) way = colour.value = "title";
  const versions = catalog.versions.length > 1
    ? h("select", { class: "input", "aria-label": "Version", onchange: (event) => {
        const next = new URLSearchParams(location.search);
        next.set("version", event.target.value);
        go(`/map?${next}`);
      } }, catalog.versions.map((name) => h("option", { value: name, selected: name === version }, name)))
    : null;
  const finder = h("form", { class: "atlas-find", onsubmit: (event) => {
    event.preventDefault();
    find(words.value.trim());
  } });
  const words = h("input", { class: "input", type: "search", placeholder: "Find on the map", "aria-label": "Find on the map", value: query.get("q") ?? "" });
  words.addEventListener("search", () => { if (!words.value) find(""); });
  finder.append(words);

  page.append(
    h("h1", { class: "hidden" }, "Map of all shots"),
    stage.element,
    h("div", { class: "atlas-bar" }, finder, h("label", { class: "atlas-field" }, h("span", { class: "quiet" }, "Colour"), colour), versions, lasso, said),
    h("div", { class: "atlas-zoom" }, tool("Zoom in (+)", icon("plus"), () => stage.zoom(1.6)), tool("Zoom out (−)", icon("minus"), () => stage.zoom(1 / 1.6)),
      tool("Show all (0)", fitIcon(), () => stage.look({ x: 0, y: 0, zoom: 1 }))),
    key.element, state, card, panel.element, stage.say);
  root.append(page);
  document.documentElement.classList.add("app-page", "atlas-page");

  const at = (query.get("at") ?? "").split(",").map(Number);
  if (at.length === 3 && at.every(Number.isFinite)) stage.look({ x: at[0], y: at[1], zoom: at[2] });

  /** What the server has: nothing, points, better points. */
  function arrived(about, bytes, still, moved) {
    if (signal.aborted) return;
    if (bytes) {
      const calm = still || matchMedia("(prefers-reduced-motion: reduce)").matches;
      stage.points(bytes, calm);
      if (still || calm) {
        // The same shots, wherever they are now.
        const kept = still ? Uint32Array.from(Array.from(panel.ids(), moved).filter((i) => i >= 0)).sort() : panel.ids();
        select(kept, kept.length ? panel.said() : "");
        paint();
        if (fresh && query.get("q")) find(query.get("q"));
        fresh = false;
      }
    }
    tellState(about);
  }

  function tellState(about) {
    const left = about.left_out ? `${about.left_out} ${about.left_out === 1 ? "title has" : "titles have"} no embeddings of this version and ${about.left_out === 1 ? "is" : "are"} left out. ` : "";
    const lines = [];
    if (about.state === "none") {
      lines.push(h("p", {}, `Version ${about.version} has no embeddings yet; `, h("code", {}, "mediafm embed"), " fills it."));
    } else if (about.state === "working" && !about.points) {
      lines.push(h("p", {}, "Reading the embeddings…"));
    } else if (about.state === "working") {
      lines.push(h("p", {}, "Shots lie by their two main directions. They are being arranged by their neighbours: ",
        h("span", { class: "figure" }, `${Math.round(about.done * 100)} %`)), h("progress", { max: 1, value: about.done, "aria-label": "Arranging" }));
    } else if (about.error) {
      lines.push(h("p", { class: "problem" }, about.error));
    }
    if (left && about.points) lines.push(h("p", { class: "quiet" }, left));
    state.hidden = !lines.length;
    state.replaceChildren(...lines);
    said.textContent = about.points ? many(about.points, "shot") : "";
  }

  async function paint() {
    const wanted = way;
    try {
      const found = await groupsOf(wanted, data);
      if (wanted !== way || signal.aborted) return;
      groups = found;
      recolour(true);
    } catch (error) {
      if (error.name === "AbortError") return;
      said.textContent = error.message;
      if (error.status === 409) return; // what is drawn anew is painted anew
      way = colour.value = "title";
      if (wanted !== "title") paint();
    }
  }

  function recolour(anew = false) {
    if (!groups) return;
    const style = getComputedStyle(document.documentElement);
    const token = (name) => parse(style.getPropertyValue(name).trim());
    const dark = document.documentElement.dataset.theme !== "light";
    const found = hues(groups.names.length - 1, dark);
    stage.tell("colours", { group: anew ? groups.group : null, colours: Uint32Array.from(found, pixel), ground: pixel(token("--bg")), ring: style.getPropertyValue("--text").trim() });
    key.show(groups, found, { title: "Titles", series: "Series" }[way] ?? way.replace("probe:", ""));
  }

  function hover(i, place) {
    if (picking && i >= 0) select(Uint32Array.of(i));
    picking = false;
    if (i !== hovered && i >= 0) fill(i);
    hovered = i;
    card.hidden = i < 0;
    if (i < 0) return;
    const room = stage.element.getBoundingClientRect();
    const [w, high] = [card.offsetWidth, card.offsetHeight];
    const x = place[0] + 18 + w > room.width ? place[0] - 18 - w : place[0] + 18;
    card.style.transform = `translate(${Math.max(4, x)}px, ${Math.max(4, Math.min(room.height - high - 4, place[1] - high / 2))}px)`;
  }

  async function fill(i) {
    const { title, shot } = data.of(i);
    const line = h("span", { class: "times quiet" }, `shot ${shot}`);
    card.replaceChildren(image(i), h("span", { class: "atlas-card-title" }, title.title), line);
    const times = await data.times().catch(() => null);
    if (!times) return;
    const when = timeOf(times(i).start, title.frame_rate, title.timecode);
    line.textContent = `${when} · shot ${shot}`;
    if (document.activeElement === stage.element) stage.say.textContent = `${title.title}, ${when}`;
  }

  function image(i) {
    const { title, shot } = data.of(i);
    const shown = h("img", { src: keyframeUrl(title, shot), alt: "", decoding: "async" });
    shown.addEventListener("error", () => shown.remove());
    return shown;
  }

  function showPictures(list) {
    if (!data.about()?.points) return;
    const held = new Map(shownPictures.map((one) => [one.i, one]));
    const next = list.map((one) => {
      const known = held.get(one.i);
      held.delete(one.i);
      return known ? { ...known, ...one } : { ...one, node: h("div", { class: "atlas-picture" }, image(one.i)) };
    });
    held.forEach(({ node }) => node.remove());
    shownPictures = next;
    stage.pictures.append(...next.filter(({ node }) => !node.isConnected).map(({ node }) => node));
    movePictures();
  }

  function movePictures() {
    for (const { x, y, node } of shownPictures) {
      const [px, py] = stage.toScreen(x, y);
      node.style.transform = `translate(${px.toFixed(1)}px, ${py.toFixed(1)}px)`;
    }
  }

  function select(ids, where = "", focus = false) {
    const some = ids.length > 0;
    stage.tell("lit", { ids: some ? ids : null });
    stage.tell("marks", { ids: [] });
    panel.show(ids, where, focus && matchMedia("(pointer: fine)").matches);
    if (some) stage.say.textContent = `${many(ids.length, "shot")} selected`;
  }

  /** Selects what a search finds; within what is selected, where something is. */
  async function find(text) {
    remember();
    if (!text) return select(new Uint32Array(0));
    said.textContent = "Searching…";
    try {
      const answer = await api.get("/search", { q: text, count: MOST_FOUND }, { signal });
      const found = answer.hits.map((hit) => data.point(hit.title_id, hit.shot)).filter((i) => i >= 0);
      const within = new Set(panel.ids());
      const inside = found.filter((i) => within.has(i));
      const kept = inside.length ? inside : found;
      select(Uint32Array.from(kept).sort(), inside.length ? `of the selection, for “${text}”` : `for “${text}”`);
      if (!kept.length) said.textContent = "Nothing stands out";
      else tellState(data.about());
    } catch (error) {
      if (error.name !== "AbortError") said.textContent = error.message;
    }
  }

  function remember() {
    clearTimeout(remembering);
    if (signal.aborted) return;
    remembering = setTimeout(() => {
      const next = new URLSearchParams(location.search);
      const { x, y, zoom } = stage.view();
      const put = (name, value) => (value ? next.set(name, value) : next.delete(name));
      const at = [x, y, zoom].map((value) => Number(value.toFixed(3)) + 0).join(",");
      put("at", at === "0,0,1" ? "" : at);
      put("colour", colour.value === "title" ? "" : colour.value);
      put("q", words.value.trim());
      history.replaceState(history.state, "", `/map${next.size ? `?${next}` : ""}`);
    }, 250);
  }

  const themed = () => recolour();
  window.addEventListener("mediafm:theme", themed);
  return () => {
    clearTimeout(remembering);
    window.removeEventListener("mediafm:theme", themed);
    document.documentElement.classList.remove("app-page", "atlas-page");
    stage.destroy();
  };
}

function merged(one, other) {
  return Uint32Array.from(new Set([...one, ...other])).sort();
}

function nothing(title, text, commands) {
  return h("div", { class: "state" }, h("h1", {}, title), h("p", {}, text), h("pre", {}, h("code", {}, commands)));
}
