/** Clips that somebody collects, in the order of their edit; kept in this browser. */

import { store } from "./store.js";

const kept = store("basket", []);

const sound = (one) => one && typeof one.title_id === "string" && one.span && one.span.end > one.span.start;

const items = () => kept.get().filter(sound);

/** The basket: `{title_id, title, ingest_id, shot, span, name, rate, timecode, poster}` each. */
export const basket = {
  items,
  add(...clips) {
    kept.set([...items(), ...clips]);
  },
  remove(place) {
    kept.set(items().filter((_, i) => i !== place));
  },
  move(from, to) {
    const held = items();
    if (to < 0 || to >= held.length) return;
    held.splice(to, 0, ...held.splice(from, 1));
    kept.set(held);
  },
  rename(place, name) {
    kept.set(items().map((one, i) => (i === place ? { ...one, name } : one)));
  },
  /** What a title says of its times, for clips that came without. */
  fill(title, facts) {
    kept.set(items().map((one) => (one.title_id === title ? { ...one, ...facts } : one)));
  },
  clear() {
    const held = items();
    kept.set([]);
    return () => kept.set([...held, ...items()]);
  },
  duration: () => items().reduce((sum, { span }) => sum + span.end - span.start, 0),
  subscribe: (fn) => kept.subscribe(() => fn(items())),
};
