/** Looking through a title by moving over its picture: sprites of its shots, loaded when somebody does. */

import { api, keyframeUrl, stripUrl } from "../api.js";
import { h } from "../dom.js";
import { clock } from "../time.js";

const REST = 120; // milliseconds after which a sprite is worth its sharp picture
const BESIDE = 3; // shots on each side of one that was found

const layouts = new Map();

function layoutOf(title) {
  if (!layouts.has(title.ingest_id)) {
    const asked = api.get(`/titles/${encodeURIComponent(title.title_id)}/timeline`).then(({ strip, start }) => ({ strip, start }));
    asked.catch(() => layouts.delete(title.ingest_id));
    layouts.set(title.ingest_id, asked);
  }
  return layouts.get(title.ingest_id);
}

/**
 * Lets a picture be skimmed; `title` needs `title_id` and `ingest_id`. With a shot, it is the picture of that one,
 * and those beside it are skimmed: what comes before it on the left, what comes after it on the right.
 */
export function skim(picture, title, own = null) {
  const sprite = h("div", { class: "skim", hidden: true, "aria-hidden": "true" });
  const bar = h("div", { class: "skim-bar", hidden: true });
  const sharp = h("img", { alt: "", hidden: true });
  const label = own === null ? null : picture.querySelector(".picture-time");
  const said = label?.textContent;
  sharp.addEventListener("load", () => { sharp.hidden = false; });
  sprite.append(sharp);
  picture.append(sprite, bar);
  let layout = null;
  let at = null;
  let shown = null;
  let rest = 0;
  picture.addEventListener("pointerenter", async (event) => {
    if (event.pointerType === "touch") return;
    at = event.clientX;
    layout = await layoutOf(title).catch(() => null);
    look();
  });
  picture.addEventListener("pointermove", (event) => {
    if (at === null) return;
    at = event.clientX;
    look();
  });
  picture.addEventListener("pointerleave", () => {
    at = shown = null;
    clearTimeout(rest);
    sprite.hidden = bar.hidden = true;
    if (label) label.textContent = said;
  });

  function look() {
    if (!layout?.strip || at === null) return;
    const shots = layout.start.length;
    const first = own === null ? 0 : Math.max(own - BESIDE, 0);
    const count = own === null ? shots : Math.min(own + BESIDE + 1, shots) - first;
    const box = picture.getBoundingClientRect();
    const share = Math.min(Math.max((at - box.left) / box.width, 0), 0.9999);
    const place = Math.floor(share * count);
    bar.hidden = false;
    bar.classList.toggle("own", first + place === own);
    bar.style.left = own === null ? "0" : `${(place / count) * 100}%`;
    bar.style.width = own === null ? `${share * 100}%` : `${100 / count}%`;
    if (first + place !== shown) show(first + place, box);
  }

  function show(shot, box) {
    shown = shot;
    clearTimeout(rest);
    if (label) label.textContent = shot === own ? said : clock(layout.start[shot]);
    sprite.hidden = shot === own;
    sharp.hidden = true;
    sharp.removeAttribute("src");
    if (shot === own) return;
    rest = setTimeout(() => { sharp.src = keyframeUrl(title, shot); }, REST);
    const { width, height, columns, per_page } = layout.strip;
    const page = Math.floor(shot / per_page);
    const place = shot % per_page;
    const count = Math.min(per_page, layout.start.length - page * per_page);
    const scale = Math.max(box.width / width, box.height / height);
    sprite.style.backgroundImage = `url("${stripUrl(title.title_id, title.ingest_id, page)}")`;
    sprite.style.backgroundSize = `${columns * width * scale}px ${Math.ceil(count / columns) * height * scale}px`;
    const x = (place % columns) * width * scale + (width * scale - box.width) / 2;
    const y = Math.floor(place / columns) * height * scale + (height * scale - box.height) / 2;
    sprite.style.backgroundPosition = `${-x}px ${-y}px`;
  }
}
