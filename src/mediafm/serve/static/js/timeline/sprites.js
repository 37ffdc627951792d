/** The pages of a filmstrip: fetched and decoded off the main thread, few at a time, the newest wishes first. */

import { stripUrl } from "../api.js";

const KEPT = 14; // pages of some 4 MB each
const AT_ONCE = 2;
const RETRY = 5000;

/** Sprites of a title; `onready` is called when a page can be drawn. */
export function makeSprites({ title, strip, onready }) {
  const pages = new Map(); // the longest unused first: {bitmap, part}
  const busy = new Set();
  const leaving = new AbortController();
  let sight = new Set(); // pages of the last drawing
  let part = 1; // of a page's width and height: the more pages are in sight, the smaller they are kept
  let wanted = [];
  let loading = 0;

  function next() {
    while (loading < AT_ONCE && wanted.length) load(wanted.shift());
  }

  const fine = (page) => (pages.get(page)?.part ?? 0) >= part;

  async function load(page) {
    const kept = part;
    loading++;
    busy.add(page);
    try {
      const answer = await fetch(stripUrl(title.title_id, title.ingest_id, page), { signal: leaving.signal });
      if (!answer.ok) throw new Error(String(answer.status));
      const width = Math.round(strip.columns * strip.width * kept);
      const bitmap = await createImageBitmap(await answer.blob(), kept < 1 ? { resizeWidth: width, resizeQuality: "medium" } : {});
      if (leaving.signal.aborted) return bitmap.close();
      pages.get(page)?.bitmap.close();
      pages.delete(page);
      pages.set(page, { bitmap, part: kept });
      busy.delete(page);
      evict();
      onready();
    } catch {
      // Not again at once: the view asks at every frame.
      setTimeout(() => busy.delete(page), RETRY);
    } finally {
      loading--;
      next();
    }
  }

  /** Lets go of what is longest unused; never of what is in sight, or it would be asked for again, for ever. */
  function evict() {
    let held = 0;
    for (const one of pages.values()) held += one.part ** 2;
    for (const [page, one] of pages) {
      if (held <= KEPT) return;
      if (sight.has(page)) continue;
      held -= one.part ** 2;
      one.bitmap.close();
      pages.delete(page);
    }
  }

  return {
    strip,
    /** The place of a shot's sprite on its page's bitmap, or null while that is not there. */
    sprite(shot) {
      const { bitmap } = pages.get(this.page(shot)) ?? {};
      if (!bitmap) return null;
      const place = shot % strip.per_page;
      const scale = bitmap.width / (strip.columns * strip.width);
      return {
        bitmap,
        x: (place % strip.columns) * strip.width * scale,
        y: Math.floor(place / strip.columns) * strip.height * scale,
        width: strip.width * scale,
        height: strip.height * scale,
      };
    },
    page: (shot) => (strip ? Math.floor(shot / strip.per_page) : -1),
    /**
     * Takes the pages of a drawing, and asks for those that are not there. What was asked for before and is not begun
     * is forgotten: the view moved on.
     */
    see(seen) {
      sight = seen;
      part = 1;
      while (seen.size * part ** 2 > KEPT) part /= 2;
      for (const page of seen) {
        const held = pages.get(page);
        if (!held) continue;
        pages.delete(page);
        pages.set(page, held);
      }
      wanted = [...seen].filter((page) => !fine(page) && !busy.has(page));
      next();
    },
    destroy() {
      leaving.abort();
      wanted = [];
      for (const { bitmap } of pages.values()) bitmap.close();
      pages.clear();
    },
  };
}
