/** The tracks of a timeline: what each loads, how high it is, how it draws, and what it says under the pointer. */

import { bisect } from "../parts/stage.js";
import { saidIn } from "../parts/title-data.js";
import { drawCues, drawPictures } from "./draw-shots.js";
import { drawArc, drawBreaks, drawClips, drawScenes, drawTags } from "./draw-story.js";

const inside = (items, time) => items.find((one) => one.span.start <= time && time < one.span.end);

/** Tags of one probe as they stand: what was suggested, less or other than that once somebody answered. */
export function tagsAsAnswered(one, answer) {
  if (!answer || answer.answer === "accepted") return one.names;
  if (answer.answer === "rejected" && !answer.value) return [];
  const named = new Map(one.tags.map((id, i) => [id, one.names[i]]));
  return answer.value.split("|").filter(Boolean).map((id) => named.get(id) ?? id);
}

function rangeOf(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return { low, high: Math.max(high, low + 1e-6) };
}

/**
 * The arc for drawing. Curves of one unit share a range, and at each place one leads; those of several, such as pace
 * and speech, cannot be compared: each has its own range.
 */
function whatArcHas(arc) {
  const { times } = arc;
  const mixed = new Set(arc.curves.map((curve) => curve.unit)).size > 1;
  const ranges = arc.curves.map(({ values }) => rangeOf(values));
  const all = { low: Math.min(0, ...ranges.map((one) => one.low)), high: Math.max(...ranges.map((one) => one.high)) };
  const curves = arc.curves.map((curve, c) => ({ ...curve, ...(mixed ? ranges[c] : all) }));
  const leads = mixed ? null : times.map((_, i) => {
    let best = 0;
    for (let c = 1; c < curves.length; c++) if (curves[c].values[i] > curves[best].values[i]) best = c;
    return best;
  });
  const byName = new Map(curves.map((curve) => [curve.name, curve]));
  const peaks = arc.peaks
    .filter((peak) => byName.has(peak.curve))
    .map((peak) => ({ ...peak, of: byName.get(peak.curve) }))
    .sort((p, q) => p.time - q.time);
  return { times, curves, leads, peaks };
}

function arcLine({ times, curves, leads }, time) {
  const i = Math.max(0, bisect(times, time));
  const all = curves.map(({ name, values, unit }) => ({ name, value: values[i], unit }));
  if (leads) all.sort((p, q) => q.value - p.value);
  return all
    .slice(0, 3)
    .map(({ name, value, unit }) => `${name} ${value.toFixed(2)}${leads ? "" : ` ${unit}`}`)
    .join(", ");
}

/** The tracks from top to bottom; `load` fills them, and says in `note` why one stays empty. */
export function makeLanes({ timeline, data, answers }) {
  const lanes = [];

  function add(lane) {
    lanes.push({ note: "", ready: false, folded: false, ...lane });
  }

  add({
    id: "pictures",
    label: "Pictures",
    ...(timeline.strip ? { height: 48, usual: 48, least: 32, most: 80 } : { height: 22 }),
    ready: true,
    note: timeline.strip ? "" : "This title has no pictures.",
    draw: drawPictures,
  });
  add({
    id: "scenes",
    label: "Scenes",
    height: 22,
    items: [],
    async load() {
      const found = await data.scenes();
      this.items = found.scenes;
      this.title = `By ${found.by}`;
      return found.scenes.length ? "" : found.notes[0] || "No scenes were found.";
    },
    draw(g, env, y, height) {
      drawScenes(g, env, y, height, this.items);
    },
    about(time) {
      const scene = inside(this.items, time);
      return scene ? `Scene ${scene.index + 1}, shots ${scene.first}–${scene.end - 1}` : "";
    },
  });
  add({
    id: "said",
    label: "Said",
    height: 22,
    ready: true,
    note: timeline.cues.length ? "" : "Nothing is said, or there is no timed text.",
    draw: drawCues,
    about: () => "",
  });
  add({
    id: "clips",
    label: "Clips",
    height: 22,
    items: [],
    async load() {
      const { found, notes } = await data.clips();
      this.items = found.map((one, i) => ({ ...one, rank: i + 1, said: saidIn(one.reasons) }));
      this.items.sort((a, b) => a.span.start - b.span.start);
      this.judge();
      return found.length ? "" : notes[0] || "No clip is suggested.";
    },
    judge() {
      for (const one of this.items) one.answer = answers.of("clips", null, one.span);
    },
    draw(g, env, y, height) {
      drawClips(g, env, y, height, this.items);
    },
    about(time) {
      const clip = inside(this.items, time);
      return clip ? `Clip ${clip.rank}: ${clip.reasons[0] ?? ""}` : "";
    },
  });
  add({
    id: "breaks",
    label: "Ad breaks",
    height: 22,
    items: [],
    async load() {
      const { found, notes } = await data.breaks();
      this.items = [...found].sort((a, b) => a.span.start - b.span.start);
      this.judge();
      return found.length ? "" : notes[0] || "No ad break is suggested.";
    },
    judge() {
      for (const one of this.items) one.answer = answers.of("ad-breaks", null, one.span);
    },
    draw(g, env, y, height) {
      drawBreaks(g, env, y, height, this.items);
    },
    about(time, perPixel) {
      const near = this.items.find((one) => Math.abs(one.span.start + 6 * perPixel - time) < 12 * perPixel);
      return near ? near.reasons.join("; ") : "";
    },
  });
  add({
    id: "tags",
    label: "Tags",
    height: 20,
    rows: [],
    async load() {
      const { found, notes } = await data.tags();
      const probes = [...new Set(found.map((one) => one.probe))];
      this.rows = probes.map((name) => ({
        name,
        items: found
          .filter((one) => one.probe === name)
          .sort((a, b) => a.span.start - b.span.start)
          .map((one) => ({ ...one, names: one.names ?? one.tags ?? [] })),
      }));
      this.height = 20 * Math.max(1, this.rows.length);
      this.judge();
      return found.length ? "" : notes[0] || "No probe gives tags to this title.";
    },
    judge() {
      for (const row of this.rows) {
        for (const one of row.items) {
          one.answer = answers.of("tags", row.name, one.span);
          one.shown = tagsAsAnswered(one, one.answer);
        }
      }
    },
    draw(g, env, y, height) {
      drawTags(g, env, y, height, this.rows);
    },
    about(time, perPixel, part) {
      const row = this.rows[Math.min(this.rows.length - 1, Math.floor(part * this.rows.length))];
      const one = row && inside(row.items, time);
      return one ? `${row.name}: ${one.reasons.join(", ") || "no tag"}` : "";
    },
  });
  add({
    id: "arc",
    label: "Arc",
    height: 44,
    usual: 64,
    least: 40,
    most: 96,
    async load() {
      const found = await data.arc();
      this.title = `${found.by.join(", ")}`;
      if (!found.curves.length || !found.times.length) return found.notes[0] || "There is no arc.";
      this.arc = whatArcHas(found);
      return "";
    },
    draw(g, env, y, height) {
      if (this.arc) drawArc(g, env, y, height, this.arc);
    },
    about(time) {
      return this.arc ? arcLine(this.arc, time) : "";
    },
  });

  return {
    lanes,
    /** Loads what needs probes and scenes; `changed` is called as each arrives. */
    load(changed) {
      return Promise.all(
        lanes.filter((lane) => lane.load).map(async (lane) => {
          try {
            lane.note = await lane.load();
          } catch (error) {
            if (error.name === "AbortError") return;
            lane.note = error.message;
            lane.failed = error.name !== "NotEmbedded";
          }
          lane.ready = true;
          changed(lane);
        }),
      );
    },
    /** Takes over what was answered. */
    judge() {
      for (const lane of lanes) lane.judge?.();
    },
  };
}
