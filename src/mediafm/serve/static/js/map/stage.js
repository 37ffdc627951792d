/** The map itself: a canvas that another thread draws, and what hands, mice and keys do to it. */

import { h, s } from "../dom.js";
import { keys } from "../keys.js";

// What lies over the map, at its top and, where there is room beside it, its left.
const INSET = { top: 52, left: 256, room: 1100 };
const LEAST = 0.6;
const STEP = 1.5;
const REACH = 26;
const PAN = 60;
const NUDGE = 16;

/**
 * Makes the stage. `on`: {near(i, place), chosen(ids, add), view(), pictures(list), picked(), clear()}.
 */
export function makeStage(on) {
  const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  const canvas = h("canvas", { class: "atlas-canvas", "aria-hidden": "true" });
  const outline = s("path", { class: "atlas-lasso", d: "" });
  const overlay = s("svg", { class: "atlas-overlay", "aria-hidden": "true" }, outline);
  const pictures = h("div", { class: "atlas-pictures", "aria-hidden": "true" });
  const element = h("div", { class: "atlas-stage", tabindex: 0, role: "application", "aria-roledescription": "map",
    "aria-label": "Map of all shots. Arrows move the map, plus and minus zoom, R draws a rectangle that selects, question mark lists all keys." },
  canvas, pictures, overlay);
  const say = h("p", { class: "hidden", "aria-live": "polite" });
  let [width, height] = [0, 0];
  let extent = [1, 1];
  let most = 8; // the zoom at which neighbours have room for pictures
  let view = { x: 0, y: 0, zoom: 1, k: 300 };
  let lassoing = false;
  let asks = 0;
  let adding = false;
  let box = null;

  const offscreen = canvas.transferControlToOffscreen();
  worker.postMessage({ type: "canvas", canvas: offscreen }, [offscreen]);
  const tell = (type, more, transfer) => worker.postMessage({ type, ...more }, transfer ?? []);
  const inset = () => [width > INSET.room ? INSET.left : 0, INSET.top];
  const fit = () => 0.47 * Math.min((width - inset()[0]) / extent[0], (height - inset()[1]) / extent[1]);
  const middle = () => [(width + inset()[0]) / 2, (height + inset()[1]) / 2];
  const toMap = ([px, py]) => [(px - middle()[0]) / view.k + view.x, (py - middle()[1]) / view.k + view.y];
  const toScreen = (x, y) => [(x - view.x) * view.k + middle()[0], (y - view.y) * view.k + middle()[1]];

  worker.onmessage = ({ data }) => {
    if (data.type === "near" && data.ask === asks) on.near(data.i, data.i < 0 ? null : toScreen(data.x, data.y));
    if (data.type === "inside") on.chosen(data.ids, adding);
    if (data.type === "pictures") on.pictures(data.pictures);
  };

  function look(next) {
    const zoom = Math.max(LEAST, Math.min(most, next.zoom));
    const limit = (value) => Math.max(-1.3, Math.min(1.3, value));
    view = { x: limit(next.x), y: limit(next.y), zoom, k: fit() * zoom };
    const [left, top] = inset();
    tell("view", { view: { ...view, x: view.x - left / 2 / view.k, y: view.y - top / 2 / view.k } });
    on.view();
    if (box) drawBox();
  }

  function zoomAt(place, factor) {
    const [x, y] = toMap(place);
    const zoom = Math.max(LEAST, Math.min(most, view.zoom * factor));
    const k = fit() * zoom;
    look({ zoom, x: x - (place[0] - middle()[0]) / k, y: y - (place[1] - middle()[1]) / k });
  }

  function near(place) {
    const [x, y] = toMap(place);
    tell("near", { x, y, reach: REACH / view.k, ask: ++asks });
  }

  function away() {
    asks++;
    tell("near", { x: 9, y: 9, reach: 0, ask: asks });
    on.near(-1, null);
  }

  function choose(polygon, add) {
    adding = add;
    tell("inside", { polygon: polygon.flatMap((place) => toMap(place)), ask: ++asks });
  }

  const draw = (places, closed) => outline.setAttribute("d", places.length
    ? `M${places.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}${closed ? "Z" : ""}` : "");

  // Pointers: one drags or draws, two zoom.
  const held = new Map();
  let path = null;
  let moved = 0;
  let spread = 0;
  const placeOf = (event) => {
    const edge = element.getBoundingClientRect();
    return [event.clientX - edge.left, event.clientY - edge.top];
  };

  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    element.setPointerCapture(event.pointerId);
    held.set(event.pointerId, placeOf(event));
    moved = 0;
    if (held.size === 1 && (lassoing || event.shiftKey)) path = [placeOf(event)];
    if (held.size === 2) {
      path = null;
      draw([]);
      const [a, b] = [...held.values()];
      spread = Math.hypot(a[0] - b[0], a[1] - b[1]);
    }
    away();
  });
  element.addEventListener("pointermove", (event) => {
    const place = placeOf(event);
    const before = held.get(event.pointerId);
    if (!before) {
      if (event.pointerType !== "touch") near(place);
      return;
    }
    held.set(event.pointerId, place);
    moved += Math.hypot(place[0] - before[0], place[1] - before[1]);
    if (path) {
      path.push(place);
      draw(path, true);
    } else if (held.size === 2) {
      const [a, b] = [...held.values()];
      const wide = Math.hypot(a[0] - b[0], a[1] - b[1]);
      zoomAt([(a[0] + b[0]) / 2, (a[1] + b[1]) / 2], wide / Math.max(spread, 1));
      spread = wide;
    } else if (moved > 3) {
      element.classList.add("dragged");
      look({ ...view, x: view.x - (place[0] - before[0]) / view.k, y: view.y - (place[1] - before[1]) / view.k });
    }
  });
  const release = (event) => {
    if (!held.delete(event.pointerId)) return;
    element.classList.remove("dragged");
    const place = placeOf(event);
    if (path && path.length > 4 && event.type === "pointerup") choose(path, lassoing && event.shiftKey);
    else if (moved <= 3 && event.type === "pointerup") {
      near(place);
      on.picked();
    }
    path = null;
    draw([]);
  };
  element.addEventListener("pointerup", release);
  element.addEventListener("pointercancel", release);
  element.addEventListener("pointerleave", () => held.size || away());
  element.addEventListener("wheel", (event) => {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    zoomAt(placeOf(event), Math.exp(-Math.max(-200, Math.min(200, event.deltaY * lines)) / 300));
  }, { passive: false });
  element.addEventListener("dblclick", (event) => zoomAt(placeOf(event), STEP * STEP));

  // Keys: the map moves under its middle; a rectangle moves over it.
  const corners = () => [[box.x, box.y], [box.x + box.w, box.y], [box.x + box.w, box.y + box.h], [box.x, box.y + box.h]];
  const drawBox = () => draw(box ? corners() : [], true);

  function rectangle() {
    box = box ? null : { x: width * 0.35, y: height * 0.35, w: width * 0.3, h: height * 0.3 };
    say.textContent = box ? "Rectangle. Arrows move it, Shift and arrows size it, Enter selects, Escape ends." : "";
    drawBox();
  }

  function arrow(dx, dy, size) {
    if (box && size) {
      box.w = Math.max(NUDGE, box.w + dx * NUDGE);
      box.h = Math.max(NUDGE, box.h + dy * NUDGE);
    } else if (box) {
      box.x += dx * NUDGE;
      box.y += dy * NUDGE;
    } else {
      look({ ...view, x: view.x + (dx * PAN) / view.k, y: view.y + (dy * PAN) / view.k });
      near(middle());
    }
    drawBox();
  }

  const arrows = Object.entries({ arrowleft: [-1, 0], arrowright: [1, 0], arrowup: [0, -1], arrowdown: [0, 1] })
    .flatMap(([name, [dx, dy]]) => [[name, () => arrow(dx, dy, false)], [`shift+${name}`, () => arrow(dx, dy, true)]]);
  const zoom = (factor) => {
    zoomAt(middle(), factor);
    near(middle());
  };
  const unbind = keys(element, {
    ...Object.fromEntries(arrows),
    "+": () => zoom(STEP), "=": () => zoom(STEP), "-": () => zoom(1 / STEP), 0: () => look({ x: 0, y: 0, zoom: 1 }),
    r: rectangle,
    enter: () => {
      if (!box) return on.picked();
      choose(corners(), false);
      rectangle();
    },
    escape: () => (box ? rectangle() : on.clear()),
  }, [["← → ↑ ↓", "Move the map"], ["+ − 0", "Zoom, or show all"], ["Enter", "Open the shot in the middle"],
    ["R", "Rectangle: arrows move it, Shift+arrows size it, Enter selects"], ["Shift+drag", "Lasso"]]);

  let keeping = false;
  const observer = new ResizeObserver(() => {
    const corner = toMap([0, 0]);
    [width, height] = [element.clientWidth, element.clientHeight];
    tell("size", { width, height, ratio: Math.min(window.devicePixelRatio || 1, 2) });
    const { k } = view;
    look(keeping ? { x: corner[0] + middle()[0] / k, y: corner[1] + middle()[1] / k, zoom: k / fit() } : view);
    keeping = false;
  });
  observer.observe(element);

  return {
    element, pictures, say, tell, look,
    /** Nothing on the map moves at the next change of its size. */
    keep() {
      keeping = width > 0;
    },
    view: () => view,
    toScreen,
    zoom: (factor) => zoomAt(middle(), factor),
    /** Takes points: x, y as whole numbers; `still` shows them at once. */
    points(bytes, still) {
      const far = [1, 1];
      const raw = new Int16Array(bytes);
      for (let i = 0; i < raw.length; i++) far[i & 1] = Math.max(far[i & 1], Math.abs(raw[i]));
      extent = far.map((value) => Math.max(value / 32767, 0.2));
      most = Math.max(8, Math.sqrt(raw.length / 2) * 1.2);
      tell("points", { bytes, still }, [bytes]);
      look(view);
    },
    lasso(next) {
      lassoing = next;
      element.classList.toggle("lassoing", next);
    },
    group(group) {
      adding = false;
      tell("group", { group, ask: ++asks });
    },
    destroy() {
      observer.disconnect();
      unbind();
      worker.terminate();
    },
  };
}
