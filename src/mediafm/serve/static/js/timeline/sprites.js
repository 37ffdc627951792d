/** The pages of a filmstrip: fetched and decoded off the main thread, few at a time, the newest wishes first. */

import { stripUrl } from "../api.js";

const KEPT = 14; // pages of some 4 MB each
const AT_ONCE = 2;
const RETRY = 5000;

/** Sprites of a title; `onready` is called when a page can be drawn. */
export function makeSprites({ title, strip, onready }) {
  const pages = new Map();
  let wanted = [];
  let loading = 0;
  let gone = false;

  function next() {
    while (loading < AT_ONCE && wanted.length) {
      const page = wanted.shift();
      if (!pages.has(page)) load(page);
    }
  }

  async function load(page) {
    loading++;
    pages.set(page, null);
    try {
      const answer = await fetch(stripUrl(title.title_id, title.ingest_id, page));
      if (!answer.ok) throw new Error(String(answer.status));
      const bitmap = await createImageBitmap(await answer.blob());
      if (gone) return bitmap.close();
      pages.set(page, bitmap);
      evict();
      onready();
    } catch {
      // Not again at once: the view asks at every frame.
      setTimeout(() => pages.get(page) === null && pages.delete(page), RETRY);
    } finally {
      loading--;
      next();
    }
  }

  function evict() {
    const held = [...pages].filter(([, bitmap]) => bitmap);
    for (const [page, bitmap] of held.slice(0, Math.max(0, held.length - KEPT))) {
      bitmap.close();
      pages.delete(page);
    }
  }

  return {
    strip,
    /** The page and place of a shot's sprite, or null while it is not there; then it is asked for. */
    sprite(shot, asked) {
      if (!strip) return null;
      const page = Math.floor(shot / strip.per_page);
      const bitmap = pages.get(page);
      if (!bitmap) {
        if (bitmap === undefined) asked?.add(page);
        return null;
      }
      const place = shot % strip.per_page;
      return {
        bitmap,
        page,
        x: (place % strip.columns) * strip.width,
        y: Math.floor(place / strip.columns) * strip.height,
      };
    },
    /** Asks for pages; what was asked for before and is not begun is forgotten: the view moved on. */
    want(asked) {
      wanted = [...asked];
      next();
    },
    /** Marks pages as just used. */
    touch(used) {
      for (const page of used) {
        const bitmap = pages.get(page);
        if (!bitmap) continue;
        pages.delete(page);
        pages.set(page, bitmap);
      }
    },
    destroy() {
      gone = true;
      wanted = [];
      for (const bitmap of pages.values()) bitmap?.close();
      pages.clear();
    },
  };
}
