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

/** The map of a version; `onchange(about, bytes | null)` hears how far it is, and new points. */
export function mapData(version, onchange, onerror, signal) {
  let about = null;
  let firsts = [];
  let times = null;
  let timer = 0;
  const asked = () => ({ version, key: about?.key });

  async function look() {
    try {
      const next = await api.get("/map", { version }, { signal });
      let bytes = null;
      if (next.points && next.etag !== about?.etag) {
        bytes = await api.bytes("/map/points", { version, key: next.key }, { signal });
        if (next.key !== about?.key) times = null;
        firsts = next.titles.map(({ first }) => first);
      }
      const still = next.key !== about?.key;
      about = next;
      onchange(about, bytes, still);
    } catch (error) {
      if (error.name === "AbortError") return;
      // Titles came or went between two questions: the next has the answer.
      if (error.status !== 409) return onerror(error);
    }
    if (!about || about.state === "working") timer = setTimeout(look, POLL);
  }

  signal.addEventListener("abort", () => clearTimeout(timer));
  look();

  return {
    about: () => about,
    look,
    /** The title and the number of a point's shot. */
    of(i) {
      const title = about.titles[lastUpTo(firsts, i)];
      return { title, shot: i - title.first };
    },
    /** The point of a shot, -1 where the map has none. */
    point(titleId, shot) {
      const title = about?.titles.find((one) => one.title_id === titleId);
      return title && shot < title.shots ? title.first + shot : -1;
    },
    /** When shots are: `(i) => {start, end}`; asked for once. */
    async times() {
      times ??= api.bytes("/map/times", asked()).then((bytes) => new Float64Array(bytes));
      times.catch(() => { times = null; });
      const held = await times;
      return (i) => ({ start: held[2 * i], end: held[2 * i + 1] });
    },
    /** The class of every point by a probe: `{names, group}`. */
    async classes(probe) {
      const { names, values } = await api.get("/map/classes", { probe, ...asked() }, { signal });
      return { names, group: Uint8Array.from(atob(values), (letter) => letter.charCodeAt(0)) };
    },
  };
}
