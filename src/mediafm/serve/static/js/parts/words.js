/** How a title says times: by its timecode where it has one. */

import { clock, counting, frameSpan, numberOf, timeOf } from "../time.js";

const SECOND = 1e6;

/**
 * Where the seconds of a timecode begin, which are no seconds of time at 23.976 or the like. `second(n)` is the start
 * of the day's second `n`; `secondAt(us)` is a second that begins at that time or shortly before.
 */
function timecodeSeconds(rate, start) {
  const span = frameSpan(rate);
  const how = counting(rate, start);
  return {
    second(n) {
      const minute = Math.floor(n / 60);
      const lost = n % 60 === 0 && minute % 10 !== 0 ? how.skipped : 0; // drop-frame has no first numbers here
      return (numberOf([0, minute, n % 60, lost], how) - how.first) * span;
    },
    secondAt: (us) => Math.max(0, Math.floor(((us / span + how.first) * 86400) / how.day) - 1),
  };
}

/** `time` is exact, `short` for lists and rulers, `length` of a span; `frame` is that of a frame in microseconds. */
export function wordsOf(title) {
  const rate = title.frame_rate;
  const time = (us) => timeOf(us, rate, title.timecode);
  const coded = rate && title.timecode;
  return {
    frame: rate ? frameSpan(rate) : 40000,
    time,
    short: (us) => (coded ? time(us).slice(0, 8) : clock(us)),
    ...(coded
      ? timecodeSeconds(rate, title.timecode)
      : { second: (n) => n * SECOND, secondAt: (us) => Math.floor(us / SECOND) }),
    length({ start, end }) {
      const seconds = (end - start) / 1e6;
      if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
      return clock(end - start);
    },
  };
}
