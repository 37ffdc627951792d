/** Looking through a title by moving over its picture: sprites of its shots, loaded when somebody does. */

import { api, stripUrl } from "../api.js";
import { h } from "../dom.js";

const layouts = new Map();

function layoutOf(title) {
  if (!layouts.has(title.ingest_id)) {
    const asked = api.get(`/titles/${encodeURIComponent(title.title_id)}/timeline`).then(({ strip, start }) => ({ strip, shots: start.length }));
    asked.catch(() => layouts.delete(title.ingest_id));
    layouts.set(title.ingest_id, asked);
  }
  return layouts.get(title.ingest_id);
}

/** Lets a picture be skimmed; `title` needs `title_id` and `ingest_id`. */
export function skim(picture, title) {
  const sprite = h("div", { class: "skim", hidden: true, "aria-hidden": "true" });
  const bar = h("div", { class: "skim-bar" });
  sprite.append(bar);
  picture.append(sprite);
  let layout = null;
  let at = null;
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
    at = null;
    sprite.hidden = true;
  });

  function look() {
    if (!layout?.strip || at === null) return;
    const box = picture.getBoundingClientRect();
    const share = Math.min(Math.max((at - box.left) / box.width, 0), 0.9999);
    show(Math.floor(share * layout.shots), box);
    bar.style.width = `${share * 100}%`;
  }

  function show(shot, box) {
    const { width, height, columns, per_page } = layout.strip;
    const page = Math.floor(shot / per_page);
    const place = shot % per_page;
    const count = Math.min(per_page, layout.shots - page * per_page);
    const scale = Math.max(box.width / width, box.height / height);
    sprite.hidden = false;
    sprite.style.backgroundImage = `url("${stripUrl(title.title_id, title.ingest_id, page)}")`;
    sprite.style.backgroundSize = `${columns * width * scale}px ${Math.ceil(count / columns) * height * scale}px`;
    const x = (place % columns) * width * scale + (width * scale - box.width) / 2;
    const y = Math.floor(place / columns) * height * scale + (height * scale - box.height) / 2;
    sprite.style.backgroundPosition = `${-x}px ${-y}px`;
  }
}
