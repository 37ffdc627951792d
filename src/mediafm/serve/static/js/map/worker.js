/** The map's other thread: holds the points, draws them, and finds them, so that the page never waits. */

import { makeGrid } from "./grid.js";
import { dotRadius, paint } from "./paint.js";

const TURN = 700;
const BUDGET = 5; // ms of drawing per frame while something moves, on whatever machine this is
const LEAST = 20000; // dots that are drawn at any rate
const REST = 140;
const MOST_PICTURES = 60;
const PER_PICTURE = 4;
const CELL = [122, 74];

let canvas = null;
let context = null;
let image = null;
let pixels = null;
let ratio = 1;
let grid = null;
let view = { x: 0, y: 0, k: 300, zoom: 1 };
let hovered = -1;
let marks = [];
let ring = "#fff";
let turning = null;
let waiting = false;
let settled = 0;
let stale = true; // whether dots lie otherwise than they were drawn
let moving = false;
let resting = 0;
let cost = 0; // ms per dot, as it was lately
let rank = new Uint32Array(0);
const scene = { x: new Float32Array(0), y: new Float32Array(0), order: new Uint32Array(0), group: new Uint8Array(0),
  colours: new Uint32Array([0xff888888]), ground: 0xff000000, lit: null, only: -1 };

function later() {
  if (waiting || !context) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    draw();
  });
}

function draw() {
  const width = canvas.width;
  const height = canvas.height;
  if (!width || !height) return;
  if (turning) turn();
  if (!image || image.width !== width || image.height !== height) {
    image = new ImageData(width, height);
    pixels = new Uint32Array(image.data.buffer);
    stale = true;
  }
  const shown = { x: view.x, y: view.y, k: view.k * ratio };
  const radius = dotRadius(scene.x.length, width, height, view.zoom, ratio);
  if (stale) {
    // In the order of drawing every part is an even sample, so that fewer dots show the same shape.
    const all = scene.order.length;
    const count = moving && cost ? Math.min(all, Math.max(LEAST, Math.round(BUDGET / cost))) : all;
    const began = performance.now();
    paint(pixels, width, height, scene, shown, radius, count);
    if (count) cost = (performance.now() - began) / count;
    stale = turning !== null;
  }
  context.putImageData(image, 0, 0);
  const place = (i) => [(scene.x[i] - shown.x) * shown.k + width / 2, (scene.y[i] - shown.y) * shown.k + height / 2];
  context.strokeStyle = ring;
  context.lineWidth = 1.5 * ratio;
  for (const i of marks) circle(...place(i), radius + 3 * ratio);
  context.lineWidth = 2 * ratio;
  if (hovered >= 0) circle(...place(hovered), radius + 4 * ratio);
  if (turning) later();
}

function circle(x, y, radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.stroke();
}

/** Draws less while something moves, and all of it when it rests. */
function moved() {
  moving = true;
  clearTimeout(resting);
  resting = setTimeout(() => {
    moving = false;
    stale = true;
    later();
  }, REST);
}

/** Moves the points from where they were to where they belong. */
function turn() {
  const part = Math.min(1, (performance.now() - turning.since) / TURN);
  const eased = part * part * (3 - 2 * part);
  for (let i = 0; i < scene.x.length; i++) {
    scene.x[i] = turning.x0[i] + (turning.x1[i] - turning.x0[i]) * eased;
    scene.y[i] = turning.y0[i] + (turning.y1[i] - turning.y0[i]) * eased;
  }
  if (part === 1) {
    turning = null;
    grid = makeGrid(scene.x, scene.y);
    settle();
  }
}

function setPoints(bytes, still) {
  const raw = new Int16Array(bytes);
  const n = raw.length / 2;
  const x = new Float32Array(n);
  const y = new Float32Array(n);
  for (let i = 0; i < n; i++) {
    x[i] = raw[2 * i] / 32767;
    y[i] = -raw[2 * i + 1] / 32767;
  }
  if (n === scene.x.length && n && !still) {
    turning = { x0: scene.x.slice(), y0: scene.y.slice(), x1: x, y1: y, since: performance.now() };
  } else {
    Object.assign(scene, { x, y, order: shuffled(n), lit: null, group: new Uint8Array(n) });
    rank = new Uint32Array(n);
    scene.order.forEach((i, place) => { rank[i] = place; });
    grid = makeGrid(x, y);
    marks = [];
    hovered = -1;
  }
  settle();
}

/** The order of drawing: no title lies on top of all others. The same each time. */
function shuffled(n) {
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  let seed = 1;
  for (let i = n - 1; i > 0; i--) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    const j = seed % (i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/** When nothing moved for a moment: shots that there is room to show pictures of. */
function settle() {
  clearTimeout(settled);
  settled = setTimeout(() => {
    if (!grid || turning || !canvas) return;
    const [w, h] = [canvas.width / ratio / view.k / 2, canvas.height / ratio / view.k / 2];
    const [cw, ch] = [CELL[0] / view.k, CELL[1] / view.k];
    const inside = [];
    grid.within(view.x - w, view.y - h, view.x + w, view.y + h, (i) => {
      if (scene.lit === null || scene.lit[i]) inside.push(i);
    });
    const shown = [];
    if (inside.length <= PER_PICTURE * MOST_PICTURES) {
      // Always in the same order, so that pictures stay while the map moves.
      inside.sort((i, j) => rank[i] - rank[j]);
      for (const i of inside) {
        const free = shown.every((j) => Math.abs(scene.x[i] - scene.x[j]) > cw || Math.abs(scene.y[i] - scene.y[j]) > ch);
        if (free && shown.length < MOST_PICTURES) shown.push(i);
      }
    }
    if (inside.length > PER_PICTURE * shown.length) shown.length = 0;
    postMessage({ type: "pictures", pictures: shown.map((i) => ({ i, x: scene.x[i], y: scene.y[i] })) });
  }, 160);
}

const hear = {
  canvas(message) {
    canvas = message.canvas;
    context = canvas.getContext("2d", { alpha: false });
  },
  size({ width, height, ratio: next }) {
    ratio = next;
    canvas.width = Math.max(1, Math.round(width * ratio));
    canvas.height = Math.max(1, Math.round(height * ratio));
    settle();
  },
  points: ({ bytes, still }) => setPoints(bytes, still),
  colours({ group, colours, ground, ring: next }) {
    if (group) scene.group = group;
    scene.colours = colours;
    scene.ground = ground;
    ring = next;
  },
  view(message) {
    view = message.view;
    moved();
    settle();
  },
  only({ group }) {
    scene.only = group;
  },
  lit({ ids }) {
    scene.lit = ids === null ? null : new Uint8Array(scene.x.length);
    for (const i of ids ?? []) scene.lit[i] = 1;
    settle();
  },
  marks({ ids }) {
    marks = ids;
  },
  near({ x, y, reach, ask }) {
    const found = grid ? grid.nearest(x, y, reach) : -1;
    if (found !== hovered) later();
    hovered = found;
    postMessage({ type: "near", i: found, x: scene.x[found], y: scene.y[found], ask });
  },
  inside({ polygon, ask }) {
    const ids = grid ? grid.inside(polygon) : new Uint32Array(0);
    postMessage({ type: "inside", ids, ask }, [ids.buffer]);
  },
  group({ group, ask }) {
    const ids = Uint32Array.from({ length: scene.x.length }, (_, i) => i).filter((i) => scene.group[i] === group);
    postMessage({ type: "inside", ids, ask }, [ids.buffer]);
  },
};

const ASKED = new Set(["near", "inside", "group"]); // what changes no dot

self.onmessage = ({ data }) => {
  hear[data.type](data);
  if (ASKED.has(data.type)) return;
  stale = true;
  later();
};
