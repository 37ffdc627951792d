/** Tags by scene and probe: of the scene where we are in full, of the others in a line each. */

import { h } from "../dom.js";
import { tagsAsAnswered } from "../timeline/lanes.js";
import { fill, notesOf } from "./inspector.js";
import { judgeButtons, saidOf } from "./judge.js";
import { tagEditor } from "./tag-editor.js";

/** Suggestions with the same span, in the order of time. */
function byScene(found) {
  const scenes = new Map();
  for (const one of found) {
    const key = `${one.span.start}-${one.span.end}`;
    if (!scenes.has(key)) scenes.set(key, { key, span: one.span, items: [] });
    scenes.get(key).items.push(one);
  }
  return [...scenes.values()].sort((a, b) => a.span.start - b.span.start);
}

const namesOf = (one) => one.names ?? one.tags ?? [];

function chance(one, i) {
  const value = one.evidence?.[one.tags[i]] ?? one.evidence?.[namesOf(one)[i]];
  return typeof value === "number" ? value : null;
}

/** The panel "Tags". */
export function tagsPanel(about, live) {
  const { stage, words, deck, data, answers, catalog } = about;
  const now = h("section", { class: "tags-now", "aria-labelledby": "tags-now-name" });
  const rest = h("section", { class: "tags-rest", "aria-label": "Other scenes" });
  const body = h("div", {}, now, rest);
  const root = h("div", { class: "tags-panel" });
  let scenes = [];
  let probes = new Map();
  let shown = "";
  let editing = null;

  const sceneNow = () => scenes.find(({ span, items }) => (editing ? items.includes(editing.one)
    : span.start <= stage.state.time && stage.state.time < span.end));

  function row(one, name, i, state, what) {
    const p = chance(one, i);
    const wrong = state && !tagsAsAnswered({ ...one, names: namesOf(one) }, state).includes(name);
    const meter = h("span", { class: "tag-meter", "aria-hidden": "true" }, h("span", {}));
    if (p !== null) meter.firstChild.style.width = `${Math.round(100 * p)}%`;
    const kind = probes.get(one.probe)?.kind;
    return h("li", { class: wrong ? "tag-row wrong" : "tag-row" },
      h("span", { class: "tag-name" }, name),
      meter,
      h("span", { class: "tag-chance" }, p === null ? "" : p.toFixed(2)),
      kind === "multi-class" || namesOf(one).length < 2 ? h("span", { class: "tag-no" }) : h("button", {
        type: "button", class: "tag-no", "aria-label": `${name} is wrong: ${what}`, title: "This one is wrong",
        "aria-pressed": String(Boolean(wrong)),
        onclick: () => turn(one, i, state),
      }, h("span", { "aria-hidden": "true" }, "✕")));
  }

  /** One tag is wrong, or right again; the others of its probe stay as they are said to be. */
  function turn(one, i, state) {
    const right = state?.answer === "rejected" ? state.value.split("|") : one.tags;
    const wrong = one.tags.filter((id, n) => (n === i ? right.includes(id) : !right.includes(id)));
    return wrong.length ? give(one, "rejected", wrong) : give(one, "accepted");
  }

  function give(one, answer, tags = []) {
    const left = {
      accepted: one.tags,
      rejected: tags.length ? one.tags.filter((id) => !tags.includes(id)) : [],
      corrected: tags,
    }[answer];
    return answers.give({ kind: "tags", answer, span: one.span, task: one.probe, tags, shown: one.tags, value: left.join("|") });
  }

  function card(one) {
    const state = answers.of("tags", one.probe, one.span);
    const what = `${one.probe}, ${words.short(one.span.start)}`;
    const about = probes.get(one.probe);
    const names = namesOf(one);
    const added = state ? tagsAsAnswered({ ...one, names }, state).filter((name) => !names.includes(name)) : [];
    const nameOf = new Map((about?.classes ?? []).map((c) => [c.id, c.name]));
    const edit = () => tagEditor({
      id: `edit-${one.probe}`, what, classes: about?.classes ?? [], single: about?.kind === "multi-class",
      chosen: state?.value ? state.value.split("|").filter(Boolean) : one.tags,
      onsave: (ids) => {
        close(what);
        const same = ids.length === one.tags.length && ids.every((id) => one.tags.includes(id));
        give(one, same ? "accepted" : "corrected", same ? [] : ids);
      },
      oncancel: () => close(what),
    });
    return h("article", { class: "tag-card", "aria-label": what },
      h("header", {}, h("h3", {}, one.probe), saidOf(state),
        judgeButtons({
          what, state,
          accept: () => give(one, "accepted"),
          reject: () => give(one, "rejected"),
          correct: about?.kind === "binary" ? null : () => {
            if (editing?.one === one) return close(what);
            editing = { one, form: edit() };
            return draw(true);
          },
        })),
      names.length
        ? h("ul", { class: "tag-rows" }, names.map((name, i) => row(one, name, i, state, what)))
        : h("p", { class: "quiet" }, one.reasons[0] ?? "No tag."),
      added.length ? h("p", { class: "chips" }, added.map((id) => h("span", { class: "chip good" }, nameOf.get(id) ?? id))) : null,
      editing?.one === one ? editing.form : null);
  }

  function line(scene, i, current) {
    const names = [...new Set(scene.items.flatMap((one) =>
      tagsAsAnswered({ ...one, names: namesOf(one) }, answers.of("tags", one.probe, one.span))))];
    return h("li", {}, h("button", { type: "button", class: "scene-line", "aria-current": current ? "true" : null,
      onclick: () => deck.seek(scene.span.start) },
    h("span", { class: "scene-time" }, words.short(scene.span.start)),
    h("span", { class: "scene-tags" }, names.join(" · ") || "–")));
  }

  function draw(force = false) {
    const scene = sceneNow();
    if (!force && ((scene?.key ?? "") === shown || editing)) return; // what is being written stays
    shown = scene?.key ?? "";
    if (scene) {
      const i = scenes.indexOf(scene);
      now.replaceChildren(
        h("h2", { id: "tags-now-name" }, scenes.length === 1 ? "The whole title" : `Scene ${i + 1} of ${scenes.length}`),
        h("p", { class: "quiet times" }, `${words.short(scene.span.start)}–${words.short(scene.span.end)}`),
        ...scene.items.map(card));
    } else {
      now.replaceChildren(h("h2", { id: "tags-now-name" }, "No scene here"));
    }
    rest.replaceChildren(
      h("h3", {}, "All scenes"),
      h("ol", { class: "scene-lines" }, scenes.map((one, i) => line(one, i, one === scene))));
  }

  fill(root, () => Promise.all([data.tags(), catalog(), answers.ready]), ([tags, held]) => {
    probes = new Map(held.probes.map((one) => [one.name, one]));
    scenes = byScene(tags.found);
    if (!scenes.length) return [h("p", { class: "quiet" }, "No probe gives tags to this title."), notesOf(tags.notes)];
    draw(true);
    return [body, notesOf(tags.notes)];
  });
  live.watch("time", () => scenes.length && draw());
  answers.subscribe(live.relay(() => scenes.length && redraw()));

  /** Draws again and gives the focus back to the button that was pressed. */
  function redraw() {
    const active = document.activeElement;
    const inside = now.contains(active);
    draw(true);
    if (!inside) return;
    if (active.isConnected) active.focus(); // in the editor, which is put in again
    else focusOn(active.getAttribute("aria-label"));
  }

  function focusOn(label) {
    [...now.querySelectorAll("button")].find((one) => one.getAttribute("aria-label") === label)?.focus();
  }

  /** Ends correcting, at the button that began it. */
  function close(what) {
    editing = null;
    draw(true);
    focusOn(`Correct: ${what}`);
  }

  return root;
}
