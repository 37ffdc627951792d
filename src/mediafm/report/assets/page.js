"use strict";
// Everything shown comes from the JSON in the page and is set as text, never as HTML.
const data = JSON.parse(document.getElementById("data").textContent);
const KINDS = ["raw", "contextual"];
const count = data.shots.length;
const span = data.end - data.start;
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const colours = bytes(data.colours);
const $ = (id) => document.getElementById(id);
const squares = {};
const state = { axis: "time", chosen: Math.floor(count / 2), row: null, column: null };

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "text") element.textContent = value;
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

function time(seconds, precise = true) {
  const rounded = precise ? Math.round(seconds * 10) / 10 : Math.floor(seconds + 1e-6);
  const hours = Math.floor(rounded / 3600), minutes = Math.floor(rounded / 60) % 60;
  const rest = (rounded % 60).toFixed(precise ? 1 : 0).padStart(precise ? 4 : 2, "0");
  const head = hours ? `${hours}:${String(minutes).padStart(2, "0")}` : String(minutes).padStart(2, "0");
  return `${head}:${rest}`;
}

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

function frame(shot) {
  const jpeg = data.frames[shot];
  if (!jpeg) return make("div", { class: "shot", text: "no picture" });
  return make("img", { class: "shot", alt: `Shot ${shot}`, decoding: "async", loading: "lazy", src: `data:image/jpeg;base64,${jpeg}` });
}

function said(shot) {
  const [start, end] = data.shots[shot];
  return data.cues.filter((cue) => cue[0] < end && cue[1] > start).map((cue) => cue[2]).join(" / ");
}

// Where a shot begins and ends along the axis of the squares, from 0 to 1.
function extent(shot) {
  if (state.axis === "shots") return [shot / count, (shot + 1) / count];
  return data.shots[shot].map((t) => (t - data.start) / span);
}

function shotAtTime(t) {
  let low = 0, high = count - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (data.shots[middle][0] <= t) low = middle; else high = middle - 1;
  }
  return low;
}

function shotAt(part) {
  if (state.axis === "shots") return clamp(Math.floor(part * count), 0, count - 1);
  return shotAtTime(data.start + part * span);
}

// Long titles come with several neighbouring shots to a cell.
const cellOf = (shot) => Math.min(Math.floor(shot / data.perCell), data.cells - 1);

function cosine(kind, row, column) {
  const square = squares[kind];
  if (!square) return null;
  if (row === column) return 1;
  const value = square.values[cellOf(row) * data.cells + cellOf(column)];
  return square.least + (value / 255) * (square.most - square.least);
}

function colourOf(square, value) {
  const cosine = square.least + (value / 255) * (square.most - square.least);
  return 3 * Math.round(255 * clamp((cosine - square.low) / (square.high - square.low), 0, 1));
}

function paint(kind) {
  const square = squares[kind];
  const side = Math.max(2, Math.min(1600, Math.round(square.box.clientWidth * devicePixelRatio)));
  square.canvas.width = square.canvas.height = square.over.width = square.over.height = side;
  const cells = new Uint16Array(side);
  for (let p = 0; p < side; p++) cells[p] = cellOf(shotAt((p + 0.5) / side));
  const table = Uint16Array.from({ length: 256 }, (_, value) => colourOf(square, value));
  const context = square.canvas.getContext("2d");
  const image = context.createImageData(side, side);
  for (let y = 0, at = 0; y < side; y++) {
    const row = cells[y] * data.cells;
    for (let x = 0; x < side; x++, at += 4) {
      const colour = table[square.values[row + cells[x]]];
      image.data[at] = colours[colour];
      image.data[at + 1] = colours[colour + 1];
      image.data[at + 2] = colours[colour + 2];
      image.data[at + 3] = 255;
    }
  }
  context.putImageData(image, 0, 0);
  mark(kind);
}

function mark(kind) {
  const square = squares[kind];
  const side = square.over.width, context = square.over.getContext("2d");
  context.clearRect(0, 0, side, side);
  const band = (shot) => {
    const [first, last] = extent(shot).map((part) => part * side);
    return [Math.floor(first), Math.max(last - first, 1.5 * devicePixelRatio)];
  };
  const [top, tall] = band(state.chosen);
  context.strokeStyle = context.fillStyle = css("--mark");
  context.lineWidth = 1.5 * devicePixelRatio;
  context.strokeRect(-4, top, side + 8, tall);
  if (state.row === null) return;
  const [y, height] = band(state.row), [x, width] = band(state.column);
  context.fillStyle = "rgba(255,255,255,.28)";
  context.fillRect(0, y, side, height);
  context.fillRect(x, 0, width, side);
  context.strokeStyle = "#fff";
  context.strokeRect(x, y, width, height);
}

function card(shot) {
  const [start, end] = data.shots[shot];
  const made = make("div", { class: "card" }, frame(shot), make("b", { text: `Shot ${shot}` }), make("small", { text: `${time(start)} – ${time(end)}` }));
  // Two lines are kept free even where nothing is said, so that pointing moves nothing below.
  if (data.cues.length) made.append(make("p", { text: said(shot) }));
  return made;
}

function showPair() {
  const best = data.squares.contextual || data.squares.raw;
  const pointed = state.row !== null;
  const row = pointed ? state.row : state.chosen;
  const near = best && best.similar[row].length ? best.similar[row][0][0] : row;
  const column = pointed ? state.column : near;
  $("pair").replaceChildren(card(row), card(column));
  const lines = KINDS.filter((kind) => squares[kind]).flatMap((kind) => {
    const value = cosine(kind, row, column);
    const square = squares[kind];
    const bar = make("i");
    bar.style.width = `${100 * clamp((value - square.least) / (square.most - square.least), 0, 1)}%`;
    bar.style.background = css(`--${kind}`);
    return [make("dt", { text: kind }), make("dd", { class: "meter" }, bar), make("dd", { text: value.toFixed(2) })];
  });
  $("cosines").replaceChildren(...lines);
}

function showSimilar() {
  $("similar-head").textContent = `Most similar to shot ${state.chosen}`;
  const rows = KINDS.filter((kind) => squares[kind]).map((kind) => {
    const hits = data.squares[kind].similar[state.chosen].map(([shot, value]) => make("button",
      { type: "button", onclick: () => choose(shot), title: said(shot), "aria-label": `Shot ${shot}, cosine ${value}` },
      frame(shot), make("span", { text: time(data.shots[shot][0], false) }), make("small", { text: value.toFixed(2) })));
    const inside = hits.length ? hits : [make("small", { text: "no other shot" })];
    return make("div", { class: "row" }, make("h3", { text: kind }), make("div", { class: "hits" }, ...inside));
  });
  $("similar").replaceChildren(...rows);
}

function point(row, column) {
  if (row === state.row && column === state.column) return;
  state.row = row;
  state.column = column;
  Object.keys(squares).forEach(mark);
  showPair();
  cursor(column === null ? state.chosen : column);
}

function choose(shot) {
  state.chosen = clamp(shot, 0, count - 1);
  state.row = state.column = null;
  const strip = $("strip");
  strip.querySelector("[aria-selected=true]")?.setAttribute("aria-selected", "false");
  const thumb = $(`shot-${state.chosen}`);
  thumb.setAttribute("aria-selected", "true");
  strip.setAttribute("aria-activedescendant", thumb.id);
  strip.scrollLeft = thumb.offsetLeft - strip.offsetLeft - (strip.clientWidth - thumb.offsetWidth) / 2;
  Object.keys(squares).forEach(mark);
  showPair();
  showSimilar();
  cursor(state.chosen);
}

function cursor(shot) {
  const [start, end] = data.shots[shot];
  $("cursor").style.left = `${(100 * (start - data.start)) / span}%`;
  $("cursor").style.width = `${(100 * (end - start)) / span}%`;
}

function buildSquare(kind) {
  const figure = $(kind), given = data.squares[kind];
  if (!given) {
    const [what, ...commands] = data.squares.raw ? data.missing : ["The catalog has no features"];
    const lines = commands.map((command) => make("code", { text: command }));
    figure.append(make("div", { class: "square empty" }, make("p", { text: what }), ...lines));
    return;
  }
  const canvas = make("canvas"), over = make("canvas");
  const box = make("div", { class: "square", tabindex: "0", role: "img", "aria-label": `Self-similarity, ${kind}: ${count} shots. Arrow keys move, Enter chooses a shot.` }, canvas, over);
  squares[kind] = { ...given, values: bytes(given.values), canvas, over, box };
  const at = (event) => {
    const place = box.getBoundingClientRect();
    const part = (value, size) => clamp(value / size, 0, 0.999999);
    return [shotAt(part(event.clientY - place.top, place.height)), shotAt(part(event.clientX - place.left, place.width))];
  };
  box.addEventListener("pointermove", (event) => point(...at(event)));
  box.addEventListener("pointerleave", () => point(null, null));
  box.addEventListener("blur", () => point(null, null));
  box.addEventListener("click", (event) => choose(at(event)[0]));
  box.addEventListener("keydown", (event) => {
    const row = state.row ?? state.chosen, column = state.column ?? state.chosen;
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (step) point(clamp(row + step[0], 0, count - 1), clamp(column + step[1], 0, count - 1));
    else if (event.key === "Enter") choose(row);
    else if (event.key === "Escape") point(null, null);
    else return;
    event.preventDefault();
  });
  const ramp = make("canvas", { width: 256, height: 1 });
  const context = ramp.getContext("2d"), image = context.createImageData(256, 1);
  for (let i = 0; i < 256; i++) image.data.set([...colours.subarray(3 * i, 3 * i + 3), 255], 4 * i);
  context.putImageData(image, 0, 0);
  figure.append(box, make("div", { class: "scale" }, make("span", { text: "cosine" }), make("span", { text: given.low.toFixed(2) }), ramp, make("span", { text: given.high.toFixed(2) })));
}

function buildStrip() {
  const strip = $("strip"), list = document.createDocumentFragment();
  data.shots.forEach(([start], shot) => {
    list.append(make("div", { role: "option", id: `shot-${shot}`, "aria-selected": "false", "aria-label": `Shot ${shot} at ${time(start)}`, title: said(shot) }, frame(shot), time(start, false)));
  });
  strip.append(list);
  strip.addEventListener("click", (event) => {
    const thumb = event.target.closest("[role=option]");
    if (thumb) choose(Number(thumb.id.slice(5)));
  });
  strip.addEventListener("keydown", (event) => {
    const to = { ArrowLeft: state.chosen - 1, ArrowRight: state.chosen + 1, Home: 0, End: count - 1 }[event.key];
    if (to === undefined) return;
    choose(to);
    event.preventDefault();
  });
}

// The rows of the timeline: name, height, and what draws one into a box of the canvas.
function timelineRows() {
  const rows = [];
  for (const kind of ["contextual", "raw"]) {
    const given = data.squares[kind];
    if (!given || !given.novelty.length) continue;
    const most = Math.max(...given.novelty, 1e-9), down = kind === "raw" && data.squares.contextual;
    rows.push({ name: `${kind} novelty`, height: 44, gap: down ? 10 : 0, draw(context, x, top, height) {
      context.fillStyle = css(`--${kind}`);
      const wide = clamp(900 / count, 0.6, 3);
      given.novelty.forEach((value, cut) => {
        const tall = (height * Math.max(value, 0)) / most;
        context.fillRect(x(data.shots[cut + 1][0]) - wide / 2, down ? top : top + height - tall, wide, tall);
      });
    } });
  }
  for (const modality of data.modalities) {
    rows.push({ name: modality.name, height: 13, gap: 4, draw(context, x, top, height) {
      context.fillStyle = css("--faint");
      context.fillRect(0, top, x(data.end), height);
      context.fillStyle = modality.colour;
      const apart = count < 400 ? 1 : 0;
      data.shots.forEach(([start, end], shot) => {
        if (modality.present[shot] === "1") context.fillRect(x(start), top, Math.max(x(end) - x(start) - apart, 0.8), height);
      });
    } });
  }
  if (data.cues.length) {
    rows.push({ name: "cues", height: 11, gap: 4, draw(context, x, top, height) {
      for (const [start, end, , kind] of data.cues) {
        context.fillStyle = css(`--${kind}`) || css("--speech");
        context.fillRect(x(start), top, Math.max(x(end) - x(start) - 0.5, 1.2), height);
      }
    } });
  }
  return rows;
}

function drawTimeline(rows) {
  const canvas = $("line"), width = canvas.parentElement.clientWidth;
  const height = rows.reduce((sum, row) => sum + row.height + row.gap, 6) + 18;
  canvas.style.height = `${height}px`;
  canvas.width = width * devicePixelRatio;
  canvas.height = height * devicePixelRatio;
  const context = canvas.getContext("2d");
  context.scale(devicePixelRatio, devicePixelRatio);
  const x = (t) => ((t - data.start) / span) * width;
  let top = 0;
  const labels = rows.map((row) => {
    row.draw(context, x, top, row.height);
    const label = make("span", { text: row.name });
    label.style.top = `${top + row.height / 2}px`;
    top += row.height + row.gap;
    return label;
  });
  $("rows").replaceChildren(...labels);
  context.fillStyle = css("--soft");
  context.font = "12px system-ui, sans-serif";
  const steps = [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400, 604800];
  const step = steps.find((s) => (span / s) * 70 < width) || steps.at(-1);
  for (let t = Math.ceil(data.start / step) * step; t <= data.end; t += step) {
    const text = time(t, step < 1), room = context.measureText(text).width;
    context.fillRect(x(t), top + 2, 1, 4);
    context.fillText(text, clamp(x(t) - room / 2, 0, width - room), top + 18);
  }
}

function start() {
  $("facts").append(...data.facts.map((text) => make("span", { text })));
  $("version").textContent = data.version ? `version ${data.version}, every shot seen within the title` : "";
  $("recipe").textContent = `Raw: ${data.recipe}. Contextual: as the catalog stores it.${data.perCell > 1 ? ` ${data.perCell} neighbouring shots share a cell; their mean is shown.` : ""}`;
  document.documentElement.style.setProperty("--shape", data.shape);
  document.documentElement.style.setProperty("--thumb", `${clamp(Math.round(76 * data.shape), 44, 190)}px`);
  KINDS.forEach(buildSquare);
  buildStrip();
  const rows = timelineRows();
  const draw = () => {
    Object.keys(squares).forEach(paint);
    drawTimeline(rows);
  };
  $("axis").addEventListener("change", (event) => {
    state.axis = event.target.value;
    Object.keys(squares).forEach(paint);
  });
  const line = $("line");
  const at = (event) => shotAtTime(data.start + clamp((event.clientX - line.getBoundingClientRect().left) / line.clientWidth, 0, 1) * span);
  line.addEventListener("pointermove", (event) => point(state.chosen, at(event)));
  line.addEventListener("pointerleave", () => point(null, null));
  line.addEventListener("click", (event) => choose(at(event)));
  let waiting = 0;
  addEventListener("resize", () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(draw);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  draw();
  choose(state.chosen);
}

start();
