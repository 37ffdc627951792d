/** What people said of a title's suggestions: shown at once, taken back where it could not be kept. */

import { api } from "../api.js";
import { toast } from "../toast.js";

const NEAR = 1000; // microseconds: label files are written in them, people's may be rounder
const WHOLE = new Set(["clips", "tags"]);

function same(kind, a, b) {
  if (Math.abs(a.start - b.start) > NEAR) return false;
  // Shots, breaks and scenes are told by one time.
  return !WHOLE.has(kind) || Math.abs(a.end - b.end) <= NEAR;
}

function shared(a, b) {
  const both = Math.min(a.end, b.end) - Math.max(a.start, b.start);
  return both / Math.max(1, Math.max(a.end, b.end) - Math.min(a.start, b.start));
}

/** The answers of a title; `task` only tells tags of several probes apart. */
export function makeAnswers(title_id) {
  let items = [];
  const listeners = new Set();
  const tell = () => listeners.forEach((listen) => listen());

  const matches = (item, kind, task, span) =>
    item.kind === kind && (kind !== "tags" || item.task === task) && same(kind, item.span, span);

  async function load() {
    const { items: given } = await api.get("/answers", { title_id });
    items = given;
    tell();
  }

  /** What was said of a place: {answer, value}, or undefined. */
  function of(kind, task, span) {
    const exact = items.find((item) => matches(item, kind, task, span));
    if (exact || kind !== "clips") return exact;
    return items.find(
      (item) => item.kind === kind && item.answer === "corrected" && shared(item.span, span) > 0.5,
    );
  }

  /** What stands in the place of an answer on its way; nothing where another was given meanwhile. */
  function settle(mine, rows) {
    if (items.includes(mine)) items = [...items.filter((item) => item !== mine), ...rows];
    tell();
  }

  /** Says it; the promise tells whether it was kept. */
  async function give({ kind, answer, span, to, tags, shown, task, value }) {
    const mine = { kind, task, title_id, span: to ?? span, value: value ?? "", answer, waiting: true };
    const place = (item) => matches(item, kind, task, span) || matches(item, kind, task, mine.span);
    const replaced = items.filter((item) => place(item) && !item.waiting);
    items = [...items.filter((item) => !place(item)), mine];
    tell();
    try {
      const body = { kind, answer, title_id, span };
      if (to) body.to = to;
      if (tags?.length) body.tags = tags;
      if (shown) body.shown = shown;
      if (task && kind === "tags") body.task = task;
      const kept = await api.post("/answers", body);
      // A label of a whole shot answers for the place that was asked about.
      settle(mine, kept.rows.map((row) => ({
        kind, task, title_id, span: to || WHOLE.has(kind) ? row.span : span, value: row.value, answer: row.answer,
      })));
      if (kept.notes?.length) toast(kept.notes.join(" "));
      return kept;
    } catch (error) {
      settle(mine, replaced);
      toast(`Not kept: ${error.message}`, { kind: "error" });
      return null;
    }
  }

  return {
    load,
    of,
    give,
    subscribe(listen) {
      listeners.add(listen);
      return () => listeners.delete(listen);
    },
  };
}
