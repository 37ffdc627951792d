/** Elements without a framework. Text is always text: nothing here reads markup. */

const SVG = "http://www.w3.org/2000/svg";

function build(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on") && typeof value === "function") node.addEventListener(name.slice(2).toLowerCase(), value);
    else node.setAttribute(name === "className" ? "class" : name, value === true ? "" : String(value));
  }
  add(node, children);
  return node;
}

function add(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false || child === true) continue;
    node.append(child instanceof Node ? child : String(child));
  }
}

/** An HTML element: attributes, `on<event>` listeners, children. */
export function h(tag, props, ...children) {
  return build(document.createElement(tag), props, children);
}

/** An SVG element. */
export function s(tag, props, ...children) {
  return build(document.createElementNS(SVG, tag), props, children);
}

/** Takes everything out of an element. */
export function clear(node) {
  node.replaceChildren();
  return node;
}

/** Paths on a grid of 24, drawn as lines. */
const ICONS = {
  search: ["M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13z", "M15.5 15.5 20 20"],
  basket: ["M4 9h16l-1.5 10h-13z", "M8 9l3-5", "M16 9l-3-5"],
  sun: ["M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8z", "M12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6 19 19M5 19l1.4-1.4M17.6 6.4 19 5"],
  moon: ["M20 14.5A8 8 0 0 1 9.5 4 8 8 0 1 0 20 14.5z"],
  keyboard: ["M3 7h18v10H3z", "M7 11h.01M11 11h.01M15 11h.01M8 14h8"],
  close: ["M6 6l12 12M18 6 6 18"],
  plus: ["M12 5v14M5 12h14"],
  minus: ["M5 12h14"],
  up: ["M6 15l6-6 6 6"],
  down: ["M6 9l6 6 6-6"],
  left: ["M15 6l-6 6 6 6"],
  right: ["M9 6l6 6-6 6"],
  play: ["M8 5l11 7-11 7z"],
  pause: ["M8 5v14M16 5v14"],
  download: ["M12 4v11M7 11l5 5 5-5", "M5 20h14"],
  check: ["M5 13l4 4L19 7"],
  edit: ["M5 19l1-4L16 5l3 3L9 18z"],
  alike: ["M9 6.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11z", "M15 6.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11z"],
  out: ["M14 5h5v5M19 5l-8 8M10 6H5v13h13v-5"],
  film: ["M4 5h16v14H4z", "M8 5v14M16 5v14M4 9h4M4 15h4M16 9h4M16 15h4"],
};

/** A picture beside words, or in a button that has a label of its own. */
export function icon(name) {
  return s("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" },
    (ICONS[name] ?? []).map((d) => s("path", { d })));
}
