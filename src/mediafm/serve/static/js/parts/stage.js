/**
 * What player, timeline and panels of a title share: where we are, whether it plays, what is marked.
 * Topics: "time", "shot", "playing", "marks", "view" (of the player), "panel" (at the side). Nobody changes the state but by `set`.
 */

import { frameNear, frameTime } from "../time.js";

/** The last place of `sorted` that is not above `value`; -1 where all are. */
export function bisect(sorted, value) {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

const TOPICS = {
  time: "time",
  shot: "shot",
  playing: "playing",
  speed: "playing",
  markIn: "marks",
  markOut: "marks",
  mode: "view",
  captions: "view",
  panel: "panel",
};

/** The state of a title page; `starts` are those of its shots. */
export function makeStage({ duration, starts, ends }) {
  const state = {
    time: 0,
    shot: starts.length ? 0 : -1,
    playing: false,
    speed: 1,
    markIn: null,
    markOut: null,
    mode: "strip",
    captions: false,
    panel: null,
  };
  const listeners = new Map();

  function tell(topic) {
    for (const listen of listeners.get(topic) ?? []) listen(state);
  }

  /** The last moment that can be shown: where the last frame begins. */
  function last({ rate }) {
    if (!rate) return Math.max(0, duration - 1);
    return Math.max(0, frameTime(frameNear(duration, rate) - 1, rate), starts.at(-1) ?? 0);
  }

  function set(changes) {
    const topics = new Set();
    const next = { ...changes };
    if ("time" in next) {
      next.time = Math.max(0, Math.min(Math.round(next.time), last(stage)));
      next.shot = starts.length ? Math.max(0, bisect(starts, next.time)) : -1;
    }
    for (const [name, value] of Object.entries(next)) {
      if (state[name] === value) continue;
      state[name] = value;
      topics.add(TOPICS[name]);
    }
    // The shot first: who draws both at "time" finds pictures already asked for.
    for (const topic of ["shot", "time", "playing", "marks", "view", "panel"]) {
      if (topics.has(topic)) tell(topic);
    }
  }

  const stage = {
    duration,
    starts,
    ends,
    state,
    set,
    // Those of the title, told by who knows it; without a rate, a frame is a guess.
    frame: 40000,
    rate: null,
    get last() {
      return last(stage);
    },
    /** Calls `listen(state)` when one of the topics (separated by spaces) changes; gives the way to stop. */
    on(topics, listen) {
      const names = topics.split(" ");
      for (const name of names) {
        if (!listeners.has(name)) listeners.set(name, new Set());
        listeners.get(name).add(listen);
      }
      return () => names.forEach((name) => listeners.get(name).delete(listen));
    },
    /** The marked clip: from in to out; from in to the end of its shot, or the shot up to out, where one is missing. */
    marked() {
      const { markIn, markOut } = state;
      if (markIn === null && markOut === null) return null;
      if (markIn !== null && markOut !== null) {
        return markOut > markIn ? { start: markIn, end: markOut } : null;
      }
      const shot = Math.max(0, bisect(starts, Math.max(0, markIn ?? markOut - 1)));
      const span = markIn !== null
        ? { start: markIn, end: ends[shot] ?? duration }
        : { start: starts[shot] ?? 0, end: markOut };
      return span.end > span.start ? span : null;
    },
    /** The span of a shot; of the current one by default. */
    span(shot = state.shot) {
      if (shot < 0) return { start: 0, end: duration };
      return { start: starts[shot], end: ends[shot] };
    },
    /** The shot at a time. */
    shotAt(time) {
      return starts.length ? Math.max(0, bisect(starts, time)) : -1;
    },
  };
  return stage;
}
