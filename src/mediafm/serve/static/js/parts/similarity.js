/** The self-similarity map: how alike all pairs of moments of a title are. One may point, click, or use the arrows. */

import { keyframeUrl } from "../api.js";
import { h } from "../dom.js";
import { bisect } from "./stage.js";
import { featureSwitch } from "./feature-switch.js";
import { fill } from "./inspector.js";

/** "#rrggbb" as three numbers. */
const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));

/** Colours from the page's ground to the one that means these features; text lightens the top. */
function ramp(features) {
  const style = getComputedStyle(document.documentElement);
  const token = (name) => rgb(style.getPropertyValue(name).trim());
  const [ground, top] = [token("--bg"), token(features === "context" ? "--context" : "--alone")];
  return Uint32Array.from({ length: 256 }, (_, level) => {
    const part = (level / 255) ** 1.25;
    const [r, g, b] = ground.map((c, i) => Math.round(c + (top[i] - c) * part));
    return (255 << 24) | (b << 16) | (g << 8) | r;
  });
}

function decode(values) {
  const raw = atob(values);
  const out = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
  return out;
}

/** The panel "Similarity". */
export function similarityPanel(about, live) {
  const { title, stage, words, deck, data, catalog } = about;
  const canvas = h("canvas", { class: "sim-canvas", "aria-hidden": "true" });
  const over = h("canvas", { class: "sim-over", "aria-hidden": "true" });
  const grid = h("div", { class: "sim-grid", tabindex: 0, role: "application", "aria-roledescription": "similarity map",
    "aria-label": "Self-similarity of the title. Arrows move, Enter goes to the moment across, Shift+Enter to the one down." },
  canvas, over);
  const pictures = ["across", "down"].map((which) => {
    const img = h("img", { alt: "" });
    const line = h("span", { class: "sim-pair-name" });
    const button = h("button", { type: "button", class: "sim-pair", "aria-label": `Go to the moment ${which}` },
      h("span", { class: "sim-pair-picture" }, img), line);
    return { img, line, button };
  });
  const cosine = h("p", { class: "sim-cosine", "aria-live": "polite" });
  const controls = h("div", { class: "similar-controls" });
  const problem = h("div", {});
  const panel = h("div", { class: "sim-panel" }, controls, grid,
    h("div", { class: "sim-pairs" }, pictures.map(({ button }) => button)), cosine, problem);
  const ground = document.createElement("canvas");
  let map = null;
  let levels = null;
  let scenes = [];
  let features = null;
  let cursor = null;

  pictures.forEach(({ button }, i) => button.addEventListener("click", () => map && deck.seek(start(cursor?.[i] ?? 0))));

  const start = (cell) => stage.starts[map.edges[cell]] ?? 0;
  const cellOf = (shot) => Math.max(0, Math.min(map.cells - 1, bisect(map.edges, shot)));

  function size(node) {
    const side = grid.clientWidth;
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    if (node.width !== Math.round(side * ratio)) node.width = node.height = Math.round(side * ratio);
    const g = node.getContext("2d");
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    g.clearRect(0, 0, side, side);
    return [g, side];
  }

  function colour() {
    if (!map) return;
    const n = map.cells;
    ground.width = ground.height = n;
    const g = ground.getContext("2d");
    const image = g.createImageData(n, n);
    const pixels = new Uint32Array(image.data.buffer);
    const colours = ramp(features);
    for (let i = 0; i < levels.length; i++) pixels[i] = colours[levels[i]];
    g.putImageData(image, 0, 0);
    paint();
  }

  function paint() {
    if (!map || !grid.clientWidth) return;
    const [g, side] = size(canvas);
    g.imageSmoothingEnabled = map.cells > side;
    g.drawImage(ground, 0, 0, side, side);
    const style = getComputedStyle(document.documentElement);
    g.fillStyle = style.getPropertyValue("--text");
    g.globalAlpha = 0.32;
    for (const scene of scenes.slice(1)) {
      const at = Math.round((cellOf(scene.first) * side) / map.cells);
      g.fillRect(at, 0, 1, side);
      g.fillRect(0, at, side, 1);
    }
    g.globalAlpha = 1;
    overlay();
  }

  function overlay() {
    if (!map || !grid.clientWidth) return;
    const [g, side] = size(over);
    const each = side / map.cells;
    const style = getComputedStyle(document.documentElement);
    g.fillStyle = style.getPropertyValue("--text");
    const here = stage.state.shot < 0 ? 0 : (cellOf(stage.state.shot) + 0.5) * each;
    g.globalAlpha = 0.9;
    g.fillRect(here - 0.5, 0, 1, side);
    g.globalAlpha = 1;
    if (!cursor) return;
    const [x, y] = cursor.map((cell) => cell * each);
    g.globalAlpha = 0.55;
    g.fillRect(x + each / 2, 0, 1, side);
    g.fillRect(0, y + each / 2, side, 1);
    g.globalAlpha = 1;
    g.lineWidth = 2;
    g.strokeStyle = style.getPropertyValue("--text");
    g.strokeRect(x - 2, y - 2, Math.max(each, 3) + 4, Math.max(each, 3) + 4);
  }

  function point(x, y) {
    cursor = [x, y].map((cell) => Math.max(0, Math.min(map.cells - 1, cell)));
    const level = levels[cursor[1] * map.cells + cursor[0]];
    const value = map.low + (level / 255) * (map.high - map.low);
    const edge = level === 0 ? " or less" : level === 255 ? " or more" : "";
    const shots = cursor.map((cell) => map.edges[cell]);
    cosine.textContent = `Cosine ${value.toFixed(2)}${edge}: shots ${shots[0]} and ${shots[1]}`;
    pictures.forEach(({ img, line, button }, i) => {
      if (title.poster) img.src = keyframeUrl(title, shots[i]);
      line.textContent = `${i ? "↓" : "→"} ${shots[i]}  ·  ${words.short(start(cursor[i]))}`;
      button.setAttribute("aria-label", `Go to shot ${shots[i]}, ${words.short(start(cursor[i]))}`);
    });
    overlay();
  }

  function cellAt(event) {
    const box = grid.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]
      .map((part) => Math.floor(part * map.cells));
  }

  grid.addEventListener("pointermove", (event) => map && point(...cellAt(event)));
  grid.addEventListener("click", (event) => {
    if (!map) return;
    point(...cellAt(event));
    deck.seek(start(cursor[0]));
  });
  grid.addEventListener("keydown", (event) => {
    if (!map || event.ctrlKey || event.metaKey || event.altKey) return;
    const by = event.shiftKey ? 10 : 1;
    const [dx, dy] = { ArrowLeft: [-by, 0], ArrowRight: [by, 0], ArrowUp: [0, -by], ArrowDown: [0, by] }[event.key] ?? [0, 0];
    if (event.key === "Enter") deck.seek(start((cursor ?? [0, 0])[event.shiftKey ? 1 : 0]));
    else if (!dx && !dy) return;
    else point((cursor ?? [0, 0])[0] + dx, (cursor ?? [0, 0])[1] + dy);
    event.preventDefault();
    event.stopPropagation();
  });

  function load() {
    const chosen = features;
    fill(problem, async () => {
      const [found, held] = await Promise.all([data.similarity(chosen), data.scenes().catch(() => ({ scenes: [] }))]);
      return [found, held.scenes];
    }, ([found, held]) => {
      if (chosen !== features) return null;
      map = found;
      scenes = held;
      levels = decode(found.values);
      grid.classList.toggle("alone", chosen !== "context");
      const at = stage.state.shot < 0 ? 0 : cellOf(stage.state.shot);
      point(...(cursor ?? [at, at]));
      colour();
      return h("p", { class: "quiet" }, `Colours from ${found.low.toFixed(2)} to ${found.high.toFixed(2)}. Lines are scenes.`);
    });
  }

  catalog().then((held) => {
    if (!held.features.length) return panel.replaceChildren(h("p", { class: "problem" }, "The catalog has no features to compare by."));
    features = held.features.includes("context") ? "context" : held.features[0];
    controls.append(featureSwitch(features, (next) => {
      features = next;
      load();
    }, held.features));
    load();
  }, (error) => problem.replaceChildren(h("p", { class: "problem", role: "alert" }, error.message)));

  const observer = new ResizeObserver(paint);
  observer.observe(grid);
  about.onclean(() => observer.disconnect());
  about.ontheme(live.relay(colour));
  live.watch("shot", overlay);
  return panel;
}
