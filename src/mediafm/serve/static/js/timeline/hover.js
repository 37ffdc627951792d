/** The preview over a timeline: picture, time, what is said, and what the track says there. */

import { keyframeUrl } from "../api.js";
import { h } from "../dom.js";

const SHARP_AFTER = 200; // ms a pointer rests before the sprite gives way to the keyframe

/** A preview; `show(x, time, more)` places it over the timeline. */
export function makeHover({ title, stage, sprites, finder, words }) {
  const canvas = h("canvas", { class: "tl-hover-sprite" });
  const sharp = h("img", { class: "tl-hover-keyframe", alt: "", hidden: true });
  const frame = h("div", { class: "tl-hover-picture" }, canvas, sharp);
  const when = h("div", { class: "tl-hover-time" });
  const said = h("div", { class: "tl-hover-said" });
  const more = h("div", { class: "tl-hover-more" });
  const el = h("div", { class: "tl-hover", "aria-hidden": "true", hidden: true }, frame, when, said, more);
  const strip = sprites.strip;
  frame.hidden = !strip;
  if (strip) {
    canvas.width = strip.width;
    canvas.height = strip.height;
    frame.style.aspectRatio = `${strip.width} / ${strip.height}`;
  }
  const g = canvas.getContext("2d");
  let shown = -1;
  let timer = 0;

  function picture(shot) {
    const sprite = sprites.sprite(shot);
    if (shot === shown && sprite) return;
    clearTimeout(timer);
    shown = sprite ? shot : -1;
    sharp.hidden = true;
    g.clearRect(0, 0, canvas.width, canvas.height);
    if (sprite) {
      g.drawImage(sprite.bitmap, sprite.x, sprite.y, sprite.width, sprite.height, 0, 0, strip.width, strip.height);
    }
    timer = setTimeout(() => {
      sharp.onload = () => (sharp.hidden = false);
      sharp.src = keyframeUrl(title, shot);
    }, SHARP_AFTER);
  }

  return {
    el,
    show(x, time, line, width) {
      const shot = stage.shotAt(time);
      if (strip && shot >= 0) picture(shot);
      when.textContent = shot >= 0 ? `${words.time(time)}  ·  shot ${shot}` : words.time(time);
      const text = finder.at(time).map((cue) => cue.text.replace(/\s+/g, " ")).join(" ");
      said.textContent = text;
      said.hidden = !text;
      more.textContent = line;
      more.hidden = !line;
      el.hidden = false;
      const half = 104;
      el.style.transform = `translateX(${Math.max(4, Math.min(x - half, width - 2 * half - 4))}px)`;
    },
    hide() {
      clearTimeout(timer);
      el.hidden = true;
    },
  };
}
