/** What the map shows: points, whose they are, and when. */

import { api } from "../api.js";

const POLL = 1200;

/** Finds the last of ascending numbers that is not above a value. */
function lastUpTo(numbers, value) {
  let [low, high] = [0, numbers.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (numbers[middle] <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}

const CHANGED = "The catalog has changed; its map is drawn anew.";

/**
 * The map of a version; `onchange(about, bytes | null, still, moved)` hears how far it is, and new points; `still`
 * where they are others than before, and `moved(i)` is then the new one of an old one, -1 where it is gone.
 */
export function mapData(version, onchange, onerror, signal) {
  let about = null;
  let held = { key: null, etag: null, titles: [], firsts: [] }; // of the points that are there
  let times = null;
  let timer = 0;
  let looking = null;
  const asked = () => ({ version, key: held.key });

  /** Asks how far the map is, for points that are new, and again as long as it is being made. */
  function look() {
    clearTimeout(timer);
    looking ??= ask().finally(() => { looking = null; });
    return looking;
  }

  async function ask() {
    let changed = false;
    try {
      const next = await api.get("/map", { version }, { signal });
      const before = held;
      let bytes = null;
      if (next.points && next.etag !== held.etag) {
        bytes = await api.bytes("/map/points", { version, key: next.key }, { signal });
        if (next.key !== held.key) times = null;
        held = { key: next.key, etag: next.etag, titles: next.titles, firsts: next.titles.map(({ first }) => first) };
      }
      about = next;
      onchange(about, bytes, held.key !== before.key, (i) => {
        const { title, shot } = of(i, before);
        return point(title.title_id, shot, title.ingest_id);
      });
    } catch (error) {
      if (error.name === "AbortError") return;
      // Titles came or went between two questions: the next has the answer.
      changed = error.status === 409;
      if (!changed) return onerror(error);
    }
    if (!signal.aborted && (changed || !about || about.state === "working")) timer = setTimeout(look, POLL);
  }

  function of(i, where = held) {
    const title = where.titles[lastUpTo(where.firsts, i)];
    return { title, shot: i - title.first };
  }

  function point(titleId, shot, ingest = null) {
    const title = held.titles.find((one) => one.title_id === titleId && (ingest === null || one.ingest_id === ingest));
    return title && shot < title.shots ? title.first + shot : -1;
  }

  /** Asks about points; where the catalog changed meanwhile, once more about its new ones. */
  async function current(get) {
    try {
      return await get();
    } catch (error) {
      if (error.status !== 409) throw error;
    }
    await look();
    return get().catch((error) => {
      throw error.status === 409 ? Object.assign(new Error(CHANGED), { status: 409 }) : error;
    });
  }

  function askTimes() {
    const mine = (times ??= api.bytes("/map/times", asked(), { signal }).then((bytes) => new Float64Array(bytes)));
    mine.catch(() => { if (times === mine) times = null; });
    return mine;
  }

  signal.addEventListener("abort", () => clearTimeout(timer));
  look();

  return {
    about: () => about,
    look,
    /** What points are of; they may be others soon. */
    held: () => held,
    /** The title and the number of a point's shot; `where` as `held` gave it, the points of now by default. */
    of,
    /** The point of a shot, -1 where the map has none. */
    point,
    /** When shots are: `(i) => {start, end}`; asked for once. */
    async times() {
      const all = await current(askTimes);
      return (i) => ({ start: all[2 * i], end: all[2 * i + 1] });
    },
    /** The class of every point by a probe: `{names, group}`. */
    async classes(probe) {
      const { names, values } = await current(() => api.get("/map/classes", { probe, ...asked() }, { signal }));
      return { names, group: Uint8Array.from(atob(values), (letter) => letter.charCodeAt(0)) };
    },
  };
}
