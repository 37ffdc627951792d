/** What stretch of a title a timeline shows: time to pixels and back. */

/** A scale over `duration` microseconds; `frame` bounds how near one can go. */
export function makeScale({ duration, frame, onchange }) {
  let width = 1;
  let start = 0;
  let perPixel = duration;
  let fitted = true;

  const whole = () => Math.max(1, duration) / width;

  function put(newStart, newPerPixel) {
    const per = Math.min(whole(), Math.max(frame / 24, newPerPixel));
    const at = Math.max(0, Math.min(newStart, duration - per * width));
    if (at === start && per === perPixel) return;
    start = at;
    perPixel = per;
    fitted = per >= whole() * 0.999;
    onchange();
  }

  return {
    get start() { return start; },
    get end() { return start + perPixel * width; },
    get perPixel() { return perPixel; },
    get width() { return width; },
    get duration() { return duration; },
    get fitted() { return fitted; },
    x: (time) => (time - start) / perPixel,
    time: (x) => Math.max(0, Math.min(start + x * perPixel, duration)),
    /** Takes a new width; what was shown whole stays whole. */
    resize(pixels) {
      if (pixels === width || pixels < 1) return;
      width = pixels;
      put(start, fitted ? Infinity : perPixel);
      onchange();
    },
    fit: () => put(0, Infinity),
    /** Nearer (above 1) or farther, while what is at `x` stays there. */
    zoom(factor, x = width / 2) {
      const anchor = start + x * perPixel;
      const per = Math.min(whole(), Math.max(frame / 24, perPixel / factor));
      put(anchor - x * per, per);
    },
    pan: (pixels) => put(start + pixels * perPixel, perPixel),
    goTo: (time) => put(time, perPixel),
    /** Moves only if the time is out of sight; `lead` is where it then stands, of the width. */
    reveal(time, lead = 0.5) {
      const x = (time - start) / perPixel;
      if (x < 0 || x > width) put(time - lead * width * perPixel, perPixel);
    },
    /** Shows a stretch with some air round it. */
    frame(span) {
      const per = ((span.end - span.start) * 1.3) / width;
      put((span.start + span.end) / 2 - (per * width) / 2, per);
    },
  };
}

const SECOND = 1e6;
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];

/** The distance of labels, and of the small marks between them, for labels of `room` pixels. */
export function rulerSteps(perPixel, frame, room) {
  const frames = [1, 2, 5, 10].map((n) => n * frame).filter((step) => step < SECOND);
  const steps = [...frames, ...STEPS.map((n) => n * SECOND)];
  const large = steps.find((step) => step / perPixel >= room) ?? steps.at(-1);
  const small = steps.filter((s) => s < large && s / perPixel >= 7 && large % s < 1);
  return { large, small: small.length ? small[0] : large };
}
