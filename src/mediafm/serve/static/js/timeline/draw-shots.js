/** Draws what every title has: ruler, shots, pictures, and what is said. All loops see the visible range only. */

import { bisect } from "../parts/stage.js";
import { rulerSteps } from "./scale.js";

export const RULER = 20;
export const SHOTS = 16;

const SECOND = 1e6;
const NARROW = 16; // pixels; below, neighbours share a picture

/** Times in sight, a step apart: whole seconds as the title counts them, or frames from such a second on. */
function* marks(scale, step, words) {
  const whole = step >= SECOND;
  const each = Math.round(step / SECOND);
  const zero = words.second(words.secondAt(0));
  const at = whole ? (n) => words.second(n * each) : (n) => zero + n * step;
  for (let n = Math.floor(whole ? words.secondAt(scale.start) / each : (scale.start - zero) / step); at(n) <= scale.end; n++) {
    if (at(n) >= 0) yield at(n);
  }
}

/** The ruler with the shots below it. */
export function drawRuler(g, env) {
  const { scale, colours, text, words, stage } = env;
  g.font = `11px ${colours.family}`;
  g.textBaseline = "middle";
  let said = words.short;
  let room = text.width(g, said(stage.duration)) + 28;
  let { large, small } = rulerSteps(scale.perPixel, words.frame, room);
  if (large < SECOND) {
    said = words.time;
    room = text.width(g, said(stage.duration)) + 28;
    ({ large, small } = rulerSteps(scale.perPixel, words.frame, room));
  }
  g.fillStyle = colours.line;
  for (const time of marks(scale, small, words)) g.fillRect(Math.round(scale.x(time)), RULER - 5, 1, 5);
  for (const time of marks(scale, large, words)) {
    const x = Math.round(scale.x(time));
    g.fillStyle = colours.line;
    g.fillRect(x, RULER - 12, 1, 12);
    g.fillStyle = colours.muted;
    if (x + 5 + room - 28 <= scale.width) g.fillText(said(Math.round(time)), x + 5, 8);
  }
  drawShots(g, env, RULER);
}

function drawShots(g, env, y) {
  const { scale, colours, text, stage } = env;
  const { starts, ends } = stage;
  g.fillStyle = colours.raised;
  g.fillRect(0, y, scale.width, SHOTS);
  if (!starts.length) return;
  const current = stage.state.shot;
  const [x, end] = [scale.x(starts[current]), scale.x(ends[current])];
  g.fillStyle = colours.muted;
  g.globalAlpha = 0.35;
  g.fillRect(x, y, Math.max(2, end - x), SHOTS);
  g.globalAlpha = 1;
  g.font = `10px ${colours.family}`;
  g.textBaseline = "middle";
  let last = -Infinity;
  for (let i = Math.max(0, bisect(starts, scale.start)); i < starts.length && starts[i] < scale.end; i++) {
    const from = scale.x(starts[i]);
    if (from - last < 3 && i !== current) continue;
    last = from;
    g.fillStyle = env.timeline.forced[i] ? colours.line : colours.bg;
    g.fillRect(Math.round(from), y, 1, SHOTS);
    g.fillStyle = i === current ? colours.text : colours.muted;
    const left = Math.max(from, 0);
    text.draw(g, String(i), left + 4, y + SHOTS / 2 + 0.5, scale.x(ends[i]) - left - 6);
  }
}

/** The pictures of the shots: each at its own place, or one for several where they are narrow. */
export function drawPictures(g, env, y, height) {
  const { scale, stage, sprites } = env;
  const { starts, ends } = stage;
  const strip = sprites.strip;
  if (!strip) return;
  const wide = (strip.width * height) / strip.height;
  const slot = Math.max(24, wide * 0.75) * scale.perPixel;
  const seen = new Set();
  // From the slot's start, so that groups stay the same while the view moves.
  const from = Math.floor(scale.start / slot) * slot;
  let i = Math.max(0, bisect(starts, from));
  while (i < starts.length && starts[i] < scale.end) {
    const first = i;
    const group = Math.floor(starts[i] / slot);
    let end = ends[i++];
    if ((end - starts[first]) / scale.perPixel < NARROW) {
      while (i < starts.length && Math.floor(starts[i] / slot) === group
             && (ends[i] - starts[i]) / scale.perPixel < NARROW) end = ends[i++];
    }
    const x = scale.x(starts[first]);
    const width = scale.x(end) - x;
    if (x + width < 0) continue;
    drawSprite(g, env, first, x, width, y, height, wide, seen);
  }
  sprites.see(seen);
}

function drawSprite(g, env, shot, x, width, y, height, wide, seen) {
  const { colours, sprites } = env;
  const gap = width > 6 ? 1 : 0;
  g.fillStyle = colours.raised;
  g.fillRect(x, y, width - gap, height);
  seen.add(sprites.page(shot));
  const sprite = sprites.sprite(shot);
  if (!sprite) return;
  const room = width - gap;
  // Stays in sight while its shot is, and is cut to the middle where the shot is narrower.
  const left = Math.min(Math.max(x, 0), Math.max(x, x + room - wide));
  const part = Math.min(1, room / wide);
  const cut = sprite.width * part;
  const paint = (at, pixels, from) =>
    g.drawImage(sprite.bitmap, sprite.x + from, sprite.y, (pixels / wide) * sprite.width, sprite.height, at, y, pixels, height);
  paint(left, Math.min(room, wide), (sprite.width - cut) / 2);
  if (left + wide >= x + room) return;
  // The rest of a long shot: the same picture again, but faintly, since it is no other moment.
  g.globalAlpha = 0.22;
  const end = Math.min(x + room, env.scale.width);
  for (let at = left + wide; at < end; at += wide) paint(at, Math.min(wide, x + room - at), 0);
  g.globalAlpha = 1;
}

/** The words that are spoken, each in its stretch. */
export function drawCues(g, env, y, height) {
  const { scale, colours, text, finder } = env;
  const found = finder.within(scale.start, scale.end);
  g.font = `11px ${colours.family}`;
  g.textBaseline = "middle";
  let last = -Infinity;
  found.forEach((cue, i) => {
    const x = scale.x(cue.span.start);
    const width = Math.max(1, scale.x(cue.span.end) - x - 1);
    if (x + width < last + 2) return;
    last = x + width;
    g.fillStyle = colours.raised;
    g.fillRect(x, y + 2, width, height - 4);
    g.fillStyle = colours.text;
    const left = Math.max(x, 0);
    // Words may run on into the silence after them.
    const until = i + 1 < found.length ? scale.x(found[i + 1].span.start) : scale.width;
    text.draw(g, cue.text.replace(/\s+/g, " "), left + 5, y + height / 2 + 0.5, until - left - 8);
  });
}
