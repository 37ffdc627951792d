/** Reads what people type as a time: a timecode, a clock time, seconds, steps (+ and -), a shot (#12). */

function fps(rate) {
  const [over, under = 1] = String(rate).split("/").map(Number);
  return over / under;
}

/** The frame number of a SMPTE timecode; `drop` leaves out the numbers that drop-frame counting skips. */
export function frameOf(hours, minutes, seconds, frames, rate, drop) {
  const nominal = Math.round(fps(rate));
  const total = ((hours * 60 + minutes) * 60 + seconds) * nominal + frames;
  if (!drop) return total;
  const dropped = Math.round(nominal / 15);
  const all = hours * 60 + minutes;
  return total - dropped * (all - Math.floor(all / 10));
}

function isDrop(text, rate, start) {
  if (text.includes(";") || start?.includes(";")) return true;
  return !start && Math.abs(fps(rate) % 1) > 0.001 && Math.round(fps(rate)) % 30 === 0;
}

function smpte(text, rate, start) {
  const parts = text.split(/[:;]/).map(Number);
  const drop = isDrop(text, rate, start);
  const us = 1e6 / fps(rate);
  const frame = frameOf(...parts, rate, drop);
  const first = start ? frameOf(...start.split(/[:;]/).map(Number), rate, drop) : 0;
  // Below the source's first timecode it can only be meant from the file's start.
  return Math.round((frame >= first ? frame - first : frame) * us);
}

function clockTime(text) {
  return Math.round(text.split(":").reduce((sum, part) => sum * 60 + Number(part), 0) * 1e6);
}

/**
 * The time that is meant, in microseconds, or null where nothing can be made of it.
 * `about` has rate and start timecode of the title, the time now, and the shots' starts.
 */
export function readTime(text, { rate, start, now, starts }) {
  const typed = text.trim().replace(",", ".");
  const shot = /^#\s*(\d+)$/.exec(typed);
  if (shot) return starts[Number(shot[1])] ?? null;
  const step = /^([+-])\s*(.+)$/.exec(typed);
  if (step) {
    const by = readTime(step[2], { rate, start: null, now: 0, starts: [] });
    return by === null ? null : Math.max(0, now + (step[1] === "+" ? by : -by));
  }
  if (/^\d+[:;]\d{1,2}[:;]\d{1,2}[:;]\d{1,3}$/.test(typed)) return rate ? smpte(typed, rate, start) : null;
  if (/^(\d+:){0,2}\d+(\.\d+)?$/.test(typed)) return clockTime(typed);
  return null;
}
