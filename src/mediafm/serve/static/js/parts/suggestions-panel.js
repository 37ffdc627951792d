/** Suggested clips, artwork, ad breaks and scene cuts: why, play, keep, and what people say of them. */

import { keyframeUrl } from "../api.js";
import { h } from "../dom.js";
import { toast } from "../toast.js";
import { fill, notesOf } from "./inspector.js";
import { judgeButtons, saidOf } from "./judge.js";
import { toBasket } from "./marks.js";
import { saidIn } from "./title-data.js";

const LEAD = 3e6; // microseconds before an ad break from which it is played

const KINDS = [
  { kind: "clips", label: "Clips", ask: (data) => data.clips(), none: "No clip is suggested." },
  { kind: "artwork", label: "Artwork", ask: (data) => data.artwork(), none: "No artwork is suggested." },
  { kind: "ad-breaks", label: "Ad breaks", ask: (data) => data.breaks(), none: "No ad break is suggested." },
  {
    kind: "scenes",
    label: "Scene cuts",
    none: "No scenes were found.",
    ask: async (data) => {
      const { scenes, notes, by } = await data.scenes();
      return {
        notes,
        by: [by],
        found: scenes.slice(1).map((scene) => ({
          span: { start: scene.span.start, end: scene.span.start }, score: scene.score, shot: scene.first,
          reasons: [`scene ${scene.index + 1} begins, ${scene.score.toFixed(2)}`],
        })),
      };
    },
  },
];

/** The panel "Suggestions". */
export function suggestionsPanel(about, live) {
  const { title, stage, words, deck, data, answers } = about;
  const choices = h("div", { class: "kinds", role: "group", "aria-label": "Kind of suggestion" });
  const list = h("div", { class: "suggestions" });
  let now = KINDS[0];
  let drawn = [];

  function correct(one, what) {
    if (now.kind === "clips") {
      const to = stage.marked();
      if (!to) return toast("Mark in (I) and out (O) where the clip should be, then correct it", { kind: "error" });
      return answers.give({ kind: "clips", answer: "corrected", span: one.span, to });
    }
    const at = stage.state.shot;
    const to = now.kind === "artwork" ? stage.span(at) : { start: stage.span(at).start, end: stage.span(at).start };
    if (to.start === one.span.start) return toast(`Go to the shot where ${what} should be, then correct it`, { kind: "error" });
    return answers.give({ kind: now.kind, answer: "corrected", span: one.span, to });
  }

  function reasons(one) {
    const all = [...one.reasons];
    if (one.before?.length) all.push(`before it: ${one.before.join(", ")}`);
    if (one.after?.length) all.push(`after it: ${one.after.join(", ")}`);
    if (one.categories?.length) all.push(`fits: ${one.categories.join(", ")}`);
    return h("ul", { class: "reasons" }, all.map((reason) => h("li", {}, reason)));
  }

  function item(one, i) {
    const { kind } = now;
    const state = answers.of(kind, null, one.span);
    const long = one.span.end > one.span.start;
    const clip = kind === "clips";
    const shot = one.shot ?? stage.shotAt(one.span.start);
    const times = clip && long
      ? `${words.short(one.span.start)}–${words.short(one.span.end)}`
      : words.short(one.span.start);
    const what = `${clip ? `clip ${i + 1}` : now.label.toLowerCase().replace(/s$/, "")}, ${times}`;
    const play = () => {
      if (clip) deck.playSpan(one.span);
      else if (kind === "artwork") deck.seek(one.span.start);
      else deck.playSpan({ start: Math.max(0, one.span.start - LEAD), end: Math.min(stage.duration, one.span.start + LEAD) });
    };
    const button = (label, onclick, props = {}) => h("button", { type: "button", class: "button small", onclick, ...props }, label);
    return h("li", { class: `suggestion ${state ? `is-${state.answer}` : ""}` },
      h("div", { class: "suggestion-head" },
        title.poster
          ? h("button", { type: "button", class: "suggestion-picture", "aria-label": `Go to ${what}`, onclick: () => deck.seek(one.span.start) },
            h("img", { src: keyframeUrl(title, shot), alt: "", loading: "lazy" }))
          : null,
        h("div", { class: "suggestion-about" },
          h("p", { class: "suggestion-name" },
            h("span", { class: "rank" }, clip || kind === "artwork" ? `${i + 1}` : ""),
            h("span", { class: "times" }, times),
            clip ? h("span", { class: "quiet" }, words.length(one.span)) : null),
          h("p", { class: "score", title: "Score, 0 to 1" },
            h("span", { class: "score-bar", "aria-hidden": "true" }, bar(one.score)), one.score.toFixed(2), saidOf(state)))),
      reasons(one),
      h("div", { class: "suggestion-actions" },
        button(kind === "artwork" ? "Show" : "Play", play, { "aria-label": `${kind === "artwork" ? "Show" : "Play"} ${what}` }),
        clip ? button("Mark", () => stage.set({ markIn: one.span.start, markOut: one.span.end }), { "aria-label": `Mark ${what}` }) : null,
        clip || kind === "artwork"
          ? button("Add to basket", () => toBasket(about, long ? one.span : stage.span(shot), saidIn(one.reasons).replace(/[“”"]/g, "")),
            { "aria-label": `Add to basket: ${what}` })
          : null,
        judgeButtons({
          what, state,
          accept: () => answers.give({ kind, answer: "accepted", span: one.span }),
          reject: () => answers.give({ kind, answer: "rejected", span: one.span }),
          correct: () => correct(one, what),
          hint: clip ? "Correct to the marked clip" : "Correct to the current shot",
        })));
  }

  function bar(score) {
    const node = h("span", {});
    node.style.width = `${Math.round(100 * Math.max(0, Math.min(1, score)))}%`;
    return node;
  }

  function items() {
    return h("ol", { class: "suggestion-list" }, drawn.map(item));
  }

  function show() {
    const kind = now;
    choices.replaceChildren(...KINDS.map((one) =>
      h("button", { type: "button", class: "kind", "aria-pressed": String(one === now), onclick: () => {
        now = one;
        show();
      } }, one.label)));
    drawn = [];
    fill(list, () => Promise.all([kind.ask(data), answers.ready]), ([answer]) => {
      drawn = answer.found;
      return [
        drawn.length ? items() : h("p", { class: "quiet" }, kind.none),
        notesOf(answer.notes),
        answer.by?.length ? h("p", { class: "quiet by" }, `By ${answer.by.join(", ")}`) : null,
      ];
    });
  }

  answers.subscribe(live.relay(() => {
    const old = list.querySelector(".suggestion-list");
    if (!old) return;
    const label = old.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
    const fresh = items();
    old.replaceWith(fresh);
    if (label) [...fresh.querySelectorAll("button")].find((one) => one.getAttribute("aria-label") === label)?.focus();
  }));
  show();
  return h("div", { class: "suggestions-panel" }, choices, list);
}
