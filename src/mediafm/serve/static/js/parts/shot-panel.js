/** The current shot: its picture, its times, what is said, and what its scene is tagged with. */

import { keyframeUrl } from "../api.js";
import { h } from "../dom.js";
import { toBasket } from "./marks.js";

/** The panel "Shot". */
export function shotPanel(about, live) {
  const { title, timeline, stage, words, deck, finder, data, open } = about;
  const picture = h("img", { class: "shot-keyframe", alt: "" });
  const frame = h("div", { class: "shot-picture", hidden: !title.poster }, picture);
  const heading = h("h2", {});
  const times = h("dl", { class: "facts shot-times" });
  const said = h("div", { class: "shot-said" });
  const scene = h("div", { class: "shot-scene" });
  let shown = -2;
  let wanted = 0;

  const button = (label, onclick, props = {}) => h("button", { type: "button", class: "button", onclick, ...props }, label);
  const actions = h("div", { class: "actions" },
    button("Add to basket", () => toBasket(about, stage.span()), { class: "button primary", title: "Add to basket (B)" }),
    button("Play", () => deck.playSpan(stage.span()), { "aria-label": "Play this shot" }),
    button("Mark", () => stage.set({ markIn: stage.span().start, markOut: stage.span().end }),
      { "aria-label": "Mark this shot as the clip" }),
    button("More like this", () => open("similar"), { title: "More like this (S)" }));
  if (title.width && title.height) frame.style.aspectRatio = `${title.width} / ${title.height}`;

  async function showScene(shot) {
    let found = null;
    try {
      found = (await data.scenes()).scenes.find((one) => one.first <= shot && shot < one.end);
    } catch {
      return scene.replaceChildren(); // the timeline says why
    }
    if (shown !== shot || !found) return;
    const line = h("p", { class: "shot-scene-name" },
      h("button", { type: "button", class: "link", onclick: () => deck.seek(found.span.start) }, `Scene ${found.index + 1}`),
      ` shots ${found.first}–${found.end - 1}, ${words.length(found.span)}`);
    scene.replaceChildren(h("h3", {}, "In its scene"), line);
    let tags = [];
    try {
      tags = (await data.tags()).found.filter((one) => one.span.start < found.span.end && one.span.end > found.span.start);
    } catch {
      return;
    }
    if (shown !== shot) return;
    const names = tags.flatMap((one) => (one.names ?? one.tags ?? []));
    if (names.length) {
      scene.append(h("p", { class: "chips" }, [...new Set(names)].map((name) => h("span", { class: "chip" }, name))));
      scene.append(h("button", { type: "button", class: "link", onclick: () => open("tags") }, "All tags"));
    }
  }

  function show() {
    const { shot } = stage.state;
    if (shot === shown) return;
    shown = shot;
    const span = stage.span();
    heading.textContent = shot < 0 ? "No shots" : `Shot ${shot}`;
    times.replaceChildren(
      ...[["In", words.time(span.start)], ["Out", words.time(span.end)], ["Length", words.length(span)]]
        .map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
    );
    if (timeline.forced[shot]) {
      times.append(h("div", {}, h("dt", {}, "Cut"), h("dd", {}, "by length: the shot goes on")));
    }
    const cues = finder.within(span.start, span.end);
    said.replaceChildren(
      h("h3", {}, "Said"),
      cues.length
        ? h("ul", { class: "cues" }, cues.slice(0, 40).map((cue) =>
          h("li", {}, h("button", { type: "button", class: "cue", onclick: () => deck.seek(cue.span.start) },
            h("span", { class: "cue-time" }, words.short(cue.span.start)), h("span", {}, cue.text)))))
        : h("p", { class: "quiet" }, "Nothing."),
    );
    clearTimeout(wanted);
    // A held arrow key passes many shots; only the one it stops at is asked about.
    wanted = setTimeout(() => {
      if (title.poster && shot >= 0) {
        picture.src = keyframeUrl(title, shot);
        picture.alt = `Keyframe of shot ${shot}`;
      }
      if (shot >= 0) showScene(shot);
    }, stage.state.playing ? 150 : 60);
  }

  live.watch("shot", show);
  show();
  return h("div", { class: "shot-panel" }, h("div", { class: "shot-top" }, frame, h("div", { class: "shot-head" }, heading, times)), actions, said, scene);
}
