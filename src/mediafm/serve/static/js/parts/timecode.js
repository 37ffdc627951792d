/** Reads what people type as a time: a timecode, a clock time, seconds, steps (+ and -), a shot (#12). */

import { counting, frameTime, numberOf, parse } from "../time.js";

const HALF_A_DAY = 43200e6;

/** `1:02.5`, `62.5`. Looked for first: what is shown as a timecode never has a point. */
function clockTime(text) {
  if (!/^(\d+:){0,2}\d+(\.\d+)?$/.test(text)) return null;
  return Math.round(text.split(":").reduce((sum, part) => sum * 60 + Number(part), 0) * 1e6);
}

/** A timecode as a length. */
function lengthOf(text, rate, start) {
  const typed = rate ? parse(text) : null;
  return typed && frameTime(numberOf(typed.numbers, counting(rate, start)), rate);
}

/** A timecode as a place in a title that is `duration` long. */
function placeOf(text, rate, start, duration) {
  const typed = rate ? parse(text) : null;
  if (!typed) return null;
  const count = counting(rate, start);
  const number = numberOf(typed.numbers, count);
  // A source may run past midnight.
  const since = frameTime((((number - count.first) % count.day) + count.day) % count.day, rate);
  if (number >= count.first || since <= duration) return since;
  // Below the source's first timecode it can only be meant from the file's start.
  return frameTime(number, rate);
}

/**
 * The time that is meant, in microseconds, or null where nothing can be made of it.
 * `about` has rate, start timecode and duration of the title, the time now, and the shots' starts.
 */
export function readTime(text, { rate, start, now, starts, duration = HALF_A_DAY }) {
  const typed = text.trim().replace(",", ".");
  const shot = /^#\s*(\d+)$/.exec(typed);
  if (shot) return starts[Number(shot[1])] ?? null;
  const step = /^([+-])\s*(.+)$/.exec(typed);
  if (step) {
    const by = clockTime(step[2]) ?? lengthOf(step[2], rate, start);
    return by === null ? null : Math.max(0, now + (step[1] === "+" ? by : -by));
  }
  return clockTime(typed) ?? placeOf(typed, rate, start, duration);
}
