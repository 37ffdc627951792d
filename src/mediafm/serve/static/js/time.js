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

/** A rate such as `24000/1001` as two whole numbers; 25 where there is none. */
function rateOf(rate) {
  const [top, bottom] = String(rate ?? "").split("/").map(Number);
  return top > 0 ? [top, bottom > 0 ? bottom : 1] : [25, 1];
}

/** Microseconds of a frame. */
export function frameSpan(rate) {
  const [top, bottom] = rateOf(rate);
  return (US * bottom) / top;
}

/** The frame on screen at a time, from 0. Times of frames are rounded, hence the small allowance. */
export function frameAt(us, rate) {
  const [top, bottom] = rateOf(rate);
  return Math.floor((us * top) / (bottom * US) + 1e-3);
}

/** Whether a rate counts with drop-frame numbers where nothing else is said: 29.97, 59.94. */
function drops(top, bottom) {
  return bottom === 1001 && top % 30000 === 0;
}

/**
 * SMPTE ST 12-1 timecode of a time. Drop-frame skips the first two (29.97) or four (59.94) numbers of each minute
 * but the tenth, never frames.
 */
export function timecode(us, rate, start = null) {
  const [top, bottom] = rateOf(rate);
  const nominal = Math.round(top / bottom);
  const able = drops(top, bottom);
  const parts = /^(\d{1,2}):(\d{2}):(\d{2})([:;.,])(\d{2,3})$/.exec(start ?? "");
  const dropping = able && (parts ? /[;.,]/.test(parts[4]) : true);
  const skipped = dropping ? nominal / 15 : 0;
  let number = frameAt(Math.max(us, 0), rate);
  if (parts) {
    const minutes = Number(parts[1]) * 60 + Number(parts[2]);
    number += (minutes * 60 + Number(parts[3])) * nominal + Number(parts[5]);
    number -= skipped * (minutes - Math.floor(minutes / 10));
  }
  if (dropping) {
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
  return `${clockwork}${dropping ? ";" : ":"}${String(number % nominal).padStart(wide, "0")}`;
}
