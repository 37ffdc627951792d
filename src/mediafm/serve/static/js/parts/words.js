/** How a title says times: by its timecode where it has one. */

import { clock, frameSpan, timeOf } from "../time.js";

/** `time` is exact, `short` for lists and rulers, `length` of a span; `frame` is that of a frame in microseconds. */
export function wordsOf(title) {
  const rate = title.frame_rate;
  const time = (us) => timeOf(us, rate, title.timecode);
  return {
    frame: rate ? frameSpan(rate) : 40000,
    time,
    short: (us) => (rate && title.timecode ? time(us).slice(0, 8) : clock(us)),
    length({ start, end }) {
      const seconds = (end - start) / 1e6;
      if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
      return clock(end - start);
    },
  };
}
