/** What is asked for about a title beyond its shots: each once, when first needed, and shared. */

import { api } from "../api.js";

/** Lazy answers of the API; a failed one is asked again the next time. */
export function titleData({ title_id, duration, embedded }, version, signal) {
  const path = `/titles/${encodeURIComponent(title_id)}`;
  const held = new Map();

  /** Not asked for what cannot be there: failed requests are errors on the browser's console. */
  const lacking = () => (embedded || version ? null
    : Object.assign(new Error("The title has no embeddings yet: run mediafm embed."), { name: "NotEmbedded" }));

  function once(key, part, params = {}) {
    const why = (params.features ?? "context") === "context" ? lacking() : null;
    if (why) return Promise.reject(why);
    if (!held.has(key)) {
      const asked = api.get(`${path}/${part}`, { ...(version ? { version } : {}), ...params }, { signal });
      held.set(key, asked);
      asked.catch(() => held.delete(key));
    }
    return held.get(key);
  }

  return {
    scenes: () => once("scenes", "scenes"),
    tags: () => once("tags", "tags"),
    arc: () => once("arc", "arc"),
    clips: () => once("clips", "suggestions/clips", { count: 8 }),
    artwork: () => once("artwork", "suggestions/artwork", { count: 6 }),
    // Short titles would have none at the usual eight minutes from break to break.
    breaks: () => once("breaks", "suggestions/ad-breaks", duration < 32 * 60e6 ? { spacing: Math.max(5e6, Math.round(duration / 8)) } : {}),
    coldStart: () => once("cold", "cold-start", { count: 6 }),
    similarity: (features) => once(`map ${features}`, "similarity", { features }),
    alike: async (params, options) => {
      const why = params.features === "context" ? lacking() : null;
      if (why) throw why;
      return api.get("/similar", { title_id, ...(version ? { version } : {}), ...params }, options);
    },
  };
}

/** The sentence in quotes among a suggestion's reasons: what is said there. */
export function saidIn(reasons) {
  return reasons.find((reason) => /^[“"]/.test(reason)) ?? "";
}
