/** Draws what probes and embeddings say: scenes, suggested clips and breaks, tags, the arc. */

import { bisect } from "../parts/stage.js";

/** The first of `items` (in the order of their starts, none inside another) that may be in sight. */
function firstSeen(items, time) {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (items[middle].span.end <= time) low = middle + 1;
    else high = middle;
  }
  return low;
}

function* seen(items, scale) {
  for (let i = firstSeen(items, scale.start); i < items.length; i++) {
    if (items[i].span.start >= scale.end) return;
    yield items[i];
  }
}

function box(scale, span) {
  const x = scale.x(span.start);
  return { x, width: Math.max(2, scale.x(span.end) - x - 1), left: Math.max(x, 0) };
}

/** Scenes as blocks; the current one stands out. */
export function drawScenes(g, env, y, height, scenes) {
  const { scale, colours, text, stage } = env;
  g.font = `11px ${colours.family}`;
  g.textBaseline = "middle";
  for (const scene of seen(scenes, scale)) {
    const { x, width, left } = box(scale, scene.span);
    const now = stage.state.shot >= scene.first && stage.state.shot < scene.end;
    g.fillStyle = now ? colours.line : colours.raised;
    g.fillRect(x, y + 1, width, height - 2);
    g.fillStyle = colours.muted;
    g.fillRect(Math.round(x), y + 1, 2, height - 2);
    g.fillStyle = now ? colours.text : colours.muted;
    const seconds = (scene.span.end - scene.span.start) / 1e6;
    const lasts = seconds < 100 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds / 60)} min`;
    const used = text.draw(g, `Scene ${scene.index + 1}`, left + 7, y + height / 2 + 0.5, x + width - left - 10);
    const rest = x + width - left - used - 22;
    if (used && rest > text.width(g, lasts)) text.draw(g, lasts, left + used + 15, y + height / 2 + 0.5, rest);
  }
}

const STATE = { accepted: "good", rejected: "bad", corrected: "good" };
const SIGN = { accepted: "✓ ", rejected: "✕ ", corrected: "✎ " };

function judged(g, env, one, x, y, width, height) {
  const { colours } = env;
  g.fillStyle = colours[STATE[one.answer?.answer]] ?? colours.line;
  g.fillRect(Math.round(x), y, 2, height);
}

function strike(g, x, y, width) {
  if (width > 0) g.fillRect(x, Math.round(y), width, 1);
}

/** Suggested clips by rank, with what was answered. */
export function drawClips(g, env, y, height, clips) {
  const { scale, colours, text } = env;
  g.font = `11px ${colours.family}`;
  g.textBaseline = "middle";
  for (const clip of seen(clips, scale)) {
    const { x, width, left } = box(scale, clip.span);
    const no = clip.answer?.answer === "rejected";
    g.fillStyle = colours.raised;
    g.fillRect(x, y + 1, width, height - 2);
    g.fillStyle = colours.text;
    g.globalAlpha = no ? 0.03 : 0.06 + 0.16 * clip.score;
    g.fillRect(x, y + 1, width, height - 2);
    g.globalAlpha = 1;
    judged(g, env, clip, x, y + 1, width, height - 2);
    g.fillStyle = no ? colours.muted : colours.text;
    const line = `${SIGN[clip.answer?.answer] ?? ""}${clip.rank}${clip.said ? `  ${clip.said}` : ""}`;
    const used = text.draw(g, line, left + 7, y + height / 2 + 0.5, x + width - left - 10);
    if (no) strike(g, left + 7, y + height / 2, used);
  }
}

/** Ad breaks as flags; they have no length. */
export function drawBreaks(g, env, y, height, breaks) {
  const { scale, colours, text, words } = env;
  g.font = `11px ${colours.family}`;
  g.textBaseline = "middle";
  let free = -Infinity;
  for (const one of breaks) {
    const x = Math.round(scale.x(one.span.start));
    if (x < -90 || x > scale.width + 4) continue;
    const no = one.answer?.answer === "rejected";
    g.fillStyle = colours[STATE[one.answer?.answer]] ?? colours.text;
    g.beginPath();
    g.moveTo(x, y + 3);
    g.lineTo(x + 8, y + 7);
    g.lineTo(x, y + 11);
    g.fill();
    g.fillRect(x, y + 2, 1, height - 4);
    const label = `${SIGN[one.answer?.answer] ?? ""}${words.short(one.span.start)}`;
    const wide = text.width(g, label);
    if (x < free) continue;
    free = x + wide + 20;
    g.fillStyle = no ? colours.muted : colours.text;
    const used = text.draw(g, label, x + 12, y + height / 2 + 0.5, wide + 1);
    if (no) strike(g, x + 12, y + height / 2, used);
  }
}

/** One row of tags per probe, in their scenes. */
export function drawTags(g, env, y, height, rows) {
  const { scale, colours, text } = env;
  const each = height / Math.max(1, rows.length);
  g.font = `11px ${colours.family}`;
  g.textBaseline = "middle";
  rows.forEach((row, r) => {
    const top = y + r * each;
    for (const one of seen(row.items, scale)) {
      const { x, width, left } = box(scale, one.span);
      const no = one.answer?.answer === "rejected" && !one.shown.length;
      g.fillStyle = colours.raised;
      g.fillRect(x, top + 1, width, each - 2);
      judged(g, env, one, x, top + 1, width, each - 2);
      g.fillStyle = one.answer || !one.shown.length ? colours.text : colours.muted;
      if (no) g.fillStyle = colours.muted;
      const line = `${SIGN[one.answer?.answer] ?? ""}${(no ? one.names : one.shown).join(" · ") || "–"}`;
      const used = text.draw(g, line, left + 7, top + each / 2 + 0.5, x + width - left - 10);
      if (no) strike(g, left + 7, top + each / 2, used);
    }
  });
}

const DASHES = [[], [6, 3], [2, 3]];

/** Every class as a faint line; whichever leads is strong and filled. Where none can lead, all are strong, and dashed apart. */
export function drawArc(g, env, y, height, arc) {
  const { scale, colours } = env;
  const { times, curves, leads } = arc;
  const first = Math.max(0, bisect(times, scale.start) - 1);
  const last = Math.min(times.length - 1, bisect(times, scale.end) + 1);
  const stride = Math.max(1, Math.floor((last - first) / (scale.width * 1.5)));
  const room = height - 17;
  const at = (curve, value) => y + 14 + room * (1 - (value - curve.low) / (curve.high - curve.low));

  function line(curveAt) {
    const path = new Path2D();
    const point = (x, i) => path.lineTo(x, at(curveAt(i), curveAt(i).values[i]));
    if (first === 0) point(scale.x(0), 0);
    for (let i = first; i <= last; i += stride) point(scale.x(times[i]), i);
    if (last === times.length - 1) point(scale.x(scale.duration), last);
    return path;
  }

  g.lineJoin = "round";
  g.lineWidth = leads ? 1 : 1.25;
  g.strokeStyle = colours.muted;
  g.globalAlpha = leads ? 0.4 : 1;
  curves.forEach((curve, c) => {
    g.setLineDash(leads ? [] : DASHES[c % DASHES.length]);
    g.stroke(line(() => curve));
  });
  g.setLineDash([]);
  g.globalAlpha = 1;
  if (leads) {
    const upper = line((i) => curves[leads[i]]);
    const area = new Path2D(upper);
    area.lineTo(Math.min(scale.x(scale.duration), scale.x(times[last]) + scale.width), y + height - 2);
    area.lineTo(Math.max(scale.x(0), scale.x(times[first]) - scale.width), y + height - 2);
    g.fillStyle = colours.text;
    g.globalAlpha = 0.07;
    g.fill(area);
    g.globalAlpha = 1;
    g.strokeStyle = colours.text;
    g.lineWidth = 1.25;
    g.stroke(upper);
  }
  drawPeaks(g, env, arc, at, y);
}

function drawPeaks(g, env, arc, at, y) {
  const { scale, colours, text } = env;
  g.font = `600 11px ${colours.family}`;
  g.textBaseline = "alphabetic";
  let free = -Infinity;
  for (const peak of arc.peaks) {
    const x = scale.x(peak.time);
    if (x < -60 || x > scale.width + 10) continue;
    const level = at(peak.of, peak.value);
    g.fillStyle = colours.text;
    g.beginPath();
    g.arc(x, level, 3, 0, 7);
    g.fill();
    const wide = text.width(g, peak.curve);
    const left = Math.max(3, Math.min(x - wide / 2, scale.width - wide - 3));
    if (left < free) continue;
    free = left + wide + 8;
    const base = Math.max(y + 10, level - 6);
    g.strokeStyle = colours.surface;
    g.lineWidth = 3;
    g.strokeText(peak.curve, left, base);
    g.fillText(peak.curve, left, base);
  }
}
