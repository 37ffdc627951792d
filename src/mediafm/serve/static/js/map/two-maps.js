/** Self-similarity maps of one title under two versions, side by side: what belongs together, by each. */

import { api, keyframeUrl } from "../api.js";
import { h } from "../dom.js";
import { picture } from "../parts/card.js";
import { parse } from "./colours.js";

const CELLS = 200;

function colours() {
  const style = getComputedStyle(document.documentElement);
  const [ground, top] = ["--bg", "--context"].map((name) => parse(style.getPropertyValue(name).trim()));
  return Uint32Array.from({ length: 256 }, (_, level) => {
    const [r, g, b] = ground.map((value, i) => Math.round(value + (top[i] - value) * (level / 255) ** 1.25));
    return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
  });
}

function draw(canvas, map) {
  canvas.width = canvas.height = map.cells;
  const g = canvas.getContext("2d");
  const image = g.createImageData(map.cells, map.cells);
  const pixels = new Uint32Array(image.data.buffer);
  const ramp = colours();
  for (let i = 0; i < pixels.length; i++) pixels[i] = ramp[map.levels[i]];
  g.putImageData(image, 0, 0);
}

/** The section; `title`: {title_id, title}. */
export function twoMaps(title, a, b, signal) {
  const line = h("p", { class: "quiet", role: "status" }, "Reading…");
  const pair = ["across", "down"].map(() => ({ box: h("div", { class: "two-picture" }), name: h("span", { class: "figure" }) }));
  const sides = [a, b].map((version, i) => {
    const canvas = h("canvas", { class: "two-canvas", role: "img", "aria-label": `Self-similarity of ${title.title} under ${version}` });
    const cross = h("div", { class: "two-cross", hidden: true });
    return { version, canvas, cross, node: h("figure", { class: "two-side" }, h("div", { class: "two-box" }, canvas, cross),
      h("figcaption", {}, h("span", {}, i ? "B" : "A"), h("span", { class: "quiet" }, version), h("span", { class: "figure two-value" }))) };
  });
  const section = h("section", { class: "two" }, h("h2", {}, title.title),
    h("p", { class: "quiet" }, "Each moment against each other, under both. Strong colour is alike; squares along the diagonal are scenes."),
    h("div", { class: "two-sides" }, sides.map(({ node }) => node)),
    h("div", { class: "two-pair", "aria-hidden": "true" }, pair.map(({ box, name }) => h("div", {}, box, name))), line);

  (async () => {
    try {
      const path = `/titles/${encodeURIComponent(title.title_id)}`;
      const [about, ...maps] = await Promise.all([api.get(path, null, { signal }),
        ...sides.map(({ version }) => api.get(`${path}/similarity`, { features: "context", version, cells: CELLS }, { signal }))]);
      maps.forEach((map) => { map.levels = Uint8Array.from(atob(map.values), (letter) => letter.charCodeAt(0)); });
      sides.forEach(({ canvas }, i) => draw(canvas, maps[i]));
      line.textContent = "Point at a place to see the two moments.";
      const redraw = () => (section.isConnected ? sides.forEach(({ canvas }, i) => draw(canvas, maps[i])) : window.removeEventListener("mediafm:theme", redraw));
      window.addEventListener("mediafm:theme", redraw);
      signal.addEventListener("abort", () => window.removeEventListener("mediafm:theme", redraw));
      sides.forEach(({ canvas }) => canvas.addEventListener("pointermove", (event) => point(about, maps, event)));
    } catch (error) {
      if (error.name !== "AbortError") line.textContent = error.message;
    }
  })();

  function point(about, maps, event) {
    const edge = event.currentTarget.getBoundingClientRect();
    const part = [(event.clientX - edge.left) / edge.width, (event.clientY - edge.top) / edge.height].map((value) => Math.max(0, Math.min(0.9999, value)));
    sides.forEach(({ cross, node }, i) => {
      const [x, y] = part.map((value) => Math.floor(value * maps[i].cells));
      const value = maps[i].low + (maps[i].levels[y * maps[i].cells + x] / 255) * (maps[i].high - maps[i].low);
      node.querySelector(".two-value").textContent = value.toFixed(2);
      cross.hidden = false;
      cross.style.left = `${part[0] * 100}%`;
      cross.style.top = `${part[1] * 100}%`;
    });
    part.forEach((value, i) => {
      const shot = maps[0].edges[Math.floor(value * maps[0].cells)];
      if (pair[i].shot === shot) return;
      pair[i].shot = shot;
      pair[i].name.textContent = `${i ? "↓" : "→"} shot ${shot}`;
      pair[i].box.replaceChildren(picture(keyframeUrl(about, shot)));
    });
    line.hidden = true;
  }

  return section;
}
