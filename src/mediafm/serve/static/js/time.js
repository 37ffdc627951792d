/** Times: integer microseconds inside, clocks and SMPTE timecodes for people. */

const US = 1e6;

const two = (value) => String(value).padStart(2, "0");

/** `1:02:03`, or `2:03` below an hour. */
export function clock(us) {
  const seconds = Math.floor(Math.abs(us) / US);
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  const rest = two(seconds % 60);
  const text = hours ? `${hours}:${two(minutes)}:${rest}` : `${minutes}:${rest}`;
  return us < 0 ? `-${text}` : text;
}

/** `00:03:10.500`, rounded down to the millisecond. */
export function stamp(us) {
  const ms = Math.floor(Math.abs(us) / 1000);
  const seconds = Math.floor(ms / 1000);
  const text = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60].map(two).join(":");
  return `${us < 0 ? "-" : ""}${text}.${String(ms % 1000).padStart(3, "0")}`;
}

/** A time as people of a title count it: its timecode, or a clock where it has no frames. */
export const timeOf = (us, rate, start = null) => (rate ? timecode(us, rate, start) : stamp(us));

// Rates that timecode is for, and their doubles; a measured average may miss one by this share. As edit lists have it.
const RATES = [[24000, 1001], [24, 1], [25, 1], [30000, 1001], [30, 1], [48, 1], [50, 1], [60000, 1001], [60, 1]];
const NEAR = 1 / 500;
const ALLOWED = 1000; // us: many files have the times of their frames in whole milliseconds

/** A rate such as `24000/1001` as two whole numbers; 25 where there is none. */
function rateOf(rate) {
  const [top, under] = String(rate ?? "").split("/").map(Number);
  if (!(top > 0)) return [25, 1];
  const bottom = under > 0 ? under : 1;
  const off = ([a, b]) => Math.abs((top * b) / (bottom * a) - 1);
  const standard = RATES.reduce((best, one) => (off(one) < off(best) ? one : best));
  return off(standard) <= NEAR ? standard : [top, bottom];
}

/** Microseconds of a frame. */
export function frameSpan(rate) {
  const [top, bottom] = rateOf(rate);
  return (US * bottom) / top;
}

/** The frame on screen at a time, from 0. Times of frames are rounded, hence the small allowance. */
export function frameAt(us, rate) {
  const [top, bottom] = rateOf(rate);
  const allowed = Math.min(ALLOWED, frameSpan(rate) / 4);
  return Math.floor(((us + allowed) * top) / (bottom * US));
}

/** The frame that begins nearest to a time: the one that an edit list has for it. */
export function frameNear(us, rate) {
  const [top, bottom] = rateOf(rate);
  return Math.round((us * top) / (bottom * US));
}

/** When a frame begins. */
export function frameTime(frame, rate) {
  const [top, bottom] = rateOf(rate);
  return Math.round((frame * bottom * US) / top);
}

/** What a timecode says: `[hours, minutes, seconds, frames]` and the sign before the frames; null where it is none. */
export function parse(text) {
  const found = /^(\d{1,2})[:;.,](\d{1,2})[:;.,](\d{1,2})([:;.,])(\d{1,3})$/.exec((text ?? "").trim());
  return found && { numbers: [1, 2, 3, 5].map((i) => Number(found[i])), sign: found[4] };
}

/** Whether a title counts with drop-frame numbers: as its start says; 29.97 and 59.94 where nothing is said. */
export function drops(rate, start) {
  const [top, bottom] = rateOf(rate);
  return bottom === 1001 && top % 30000 === 0 && parse(start)?.sign !== ":";
}

/** How a title counts: numbers in a second, those skipped in a minute, its first frame's, and frames of a day. */
export function counting(rate, start) {
  const [top, bottom] = rateOf(rate);
  const nominal = Math.round(top / bottom);
  const skipped = drops(rate, start) ? nominal / 15 : 0;
  const begins = parse(start);
  return {
    nominal,
    skipped,
    first: begins ? numberOf(begins.numbers, { nominal, skipped }) : 0,
    day: nominal * 86400 - skipped * 9 * 144,
  };
}

/** How many frames a timecode is after midnight. */
export function numberOf([hours, minutes, seconds, frames], { nominal, skipped }) {
  const all = hours * 60 + minutes;
  return (all * 60 + seconds) * nominal + frames - skipped * (all - Math.floor(all / 10));
}

/**
 * SMPTE ST 12-1 timecode of a time. Drop-frame skips the first two (29.97) or four (59.94) numbers of each minute
 * but the tenth, never frames.
 */
export function timecode(us, rate, start = null) {
  const { nominal, skipped, first } = counting(rate, start);
  let number = first + frameAt(Math.max(us, 0), rate);
  if (skipped) {
    const ten = nominal * 600 - skipped * 9;
    const minute = nominal * 60 - skipped;
    const tens = Math.floor(number / ten);
    const within = number % ten;
    number += skipped * 9 * tens;
    if (within >= nominal * 60) number += skipped * (Math.floor((within - nominal * 60) / minute) + 1);
  }
  number %= nominal * 86400;
  const seconds = Math.floor(number / nominal);
  const wide = nominal > 100 ? 3 : 2;
  const clockwork = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60].map(two).join(":");
  return `${clockwork}${skipped ? ";" : ":"}${String(number % nominal).padStart(wide, "0")}`;
}
