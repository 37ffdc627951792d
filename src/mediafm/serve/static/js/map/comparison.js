/** Two versions beside one another: how much of what is near stays near, and where it does not. */

import { api, keyframeUrl } from "../api.js";
import { h } from "../dom.js";
import { hitPath, picture, reasons } from "../parts/card.js";
import { link } from "../router.js";
import { clock } from "../time.js";
import { twoMaps } from "./two-maps.js";

const percent = (share) => `${Math.round(share * 100)} %`;
const FIRST = 8;

/** The comparison, with what it is of; it keeps the address as it goes. */
export function comparison(versions, current, query, signal) {
  const names = versions.map(({ name }) => name);
  const known = (name) => (names.includes(name) ? name : null);
  let a = known(query.get("a")) ?? current ?? names.at(-2);
  let b = known(query.get("b")) ?? names.findLast((name) => name !== a);
  if (a === b) b = names.find((name) => name !== a);
  let titleId = query.get("title") || null;
  let elsewhere = query.get("where") === "elsewhere";
  let turn = 0;
  let focused = null; // the title whose bar had the focus, "" for something else among the results
  const result = h("div", { class: "versions-result" });

  const menu = (choose) => h("select", { class: "input", onchange: (event) => {
    choose(event.target.value);
    head();
    load();
  } }, names.map((name) => h("option", { value: name }, name === current ? `${name} (current)` : name)));
  const menuA = menu((name) => {
    a = name;
    if (a === b) b = names.find((other) => other !== a);
  });
  const menuB = menu((name) => {
    b = name;
    if (a === b) a = names.find((other) => other !== b);
  });
  const choice = (label, select) => h("label", { class: "versions-choice" }, h("span", {}, label), select);
  const form = h("div", { class: "versions-choices" }, choice("A", menuA), choice("B", menuB),
    h("label", { class: "versions-check" }, h("input", { type: "checkbox", checked: elsewhere, onchange: (event) => {
      elsewhere = event.target.checked;
      load();
    } }), "Neighbours in other titles only"));

  function head() {
    menuA.value = a;
    menuB.value = b;
  }

  function remember() {
    const next = new URLSearchParams({ a, b });
    if (titleId) next.set("title", titleId);
    if (elsewhere) next.set("where", "elsewhere");
    history.replaceState(history.state, "", `/versions?${next}`);
  }

  async function load() {
    const mine = ++turn;
    remember();
    if (result.contains(document.activeElement)) focused = document.activeElement.dataset.title ?? "";
    result.replaceChildren(h("p", { class: "versions-wait quiet", role: "status" }, `Comparing the neighbours of shots under ${a} and ${b}…`));
    try {
      const [found, own] = await Promise.all([
        api.get("/compare", { a, b, elsewhere: elsewhere || null }, { signal }),
        titleId ? api.get("/compare", { a, b, title_id: titleId, elsewhere: elsewhere || null }, { signal }) : null,
      ]);
      if (mine !== turn) return;
      result.replaceChildren(...drawn(found, own));
      refocus();
    } catch (error) {
      if (mine !== turn || error.name === "AbortError") return;
      if (titleId && error.status === 404) {
        titleId = null;
        load();
        return;
      }
      result.replaceChildren(h("div", { class: "state problem", role: "alert" }, h("p", {}, error.message),
        h("p", {}, h("button", { class: "button", type: "button", onclick: load }, "Try again"))));
      refocus();
    }
  }

  /** Gives the focus back to what it was taken from, unless somebody went on meanwhile. */
  function refocus() {
    const buttons = focused === null || document.activeElement !== document.body ? [] : [...result.querySelectorAll("button")];
    (buttons.find((button) => button.dataset.title === focused) ?? buttons[0])?.focus({ preventScroll: true });
    focused = null;
  }

  function drawn(found, own) {
    const title = own ? own.by_title[0] : null;
    return [
      h("div", { class: "versions-top" }, headline(found), gates(found)),
      h("div", { class: "versions-two" }, titles(found, title), twoMaps(title ?? found.by_title[0], a, b, signal)),
      changes(own ?? found, title),
    ];
  }

  function headline(found) {
    const sample = found.shots < found.of ? `a sample of ${found.shots.toLocaleString("en")} of ${found.of.toLocaleString("en")} shots` : `all ${found.of.toLocaleString("en")} shots`;
    const left = found.left_out ? ` ${found.left_out === 1 ? "One title is" : `${found.left_out} titles are`} left out: not in both versions.` : "";
    return h("section", { class: "versions-figure", "aria-label": "Neighbours in common" },
      h("p", { class: "versions-number" }, h("span", {}, percent(found.overlap)), found.error ? h("span", { class: "versions-error" }, `± ${(found.error * 100).toFixed(1)}`) : null),
      h("p", {}, `of the ${found.k} nearest shots are the same under both.`),
      h("p", { class: "quiet" }, `From ${sample}${found.error ? "; the range is 95 %, over titles" : ""}.${left}`));
  }

  function gates(found) {
    const parts = [a, b].map((name) => {
      const check = found.validations[name]?.at(-1);
      if (!check) return h("div", { class: "versions-gate" }, h("h3", {}, name), h("p", { class: "quiet" }, "Not validated. ", h("code", {}, `mediafm version validate ${name} TASK`)));
      return h("div", { class: "versions-gate" }, h("h3", {}, name, h("span", { class: check.passed ? "good" : "bad" }, check.passed ? " passed" : " failed"), h("span", { class: "quiet" }, ` against ${check.against}`)),
        h("ul", {}, Object.entries(check.tasks).map(([task, outcome]) => h("li", {}, h("span", {}, task), h("span", { class: { better: "good", worse: "bad" }[outcome] ?? "quiet" }, outcome)))));
    });
    return h("section", { class: "versions-gates", "aria-label": "Validation" }, h("h2", {}, "What probes say"), parts);
  }

  function titles(found, chosen) {
    const shown = found.by_title.slice(0, FIRST);
    if (chosen && !shown.some(({ title_id: id }) => id === chosen.title_id)) shown.push(found.by_title.find(({ title_id: id }) => id === chosen.title_id) ?? chosen);
    const list = h("ol", { class: "versions-bars" }, shown.map((one) => bar(one, chosen)));
    const rest = found.by_title.slice(FIRST);
    const more = rest.length ? h("button", { class: "button", type: "button", onclick: () => {
      list.replaceChildren(...found.by_title.map((one) => bar(one, chosen)));
      more.remove();
      list.children[FIRST].querySelector("button").focus({ preventScroll: true });
    } }, `All ${found.by_title.length} titles`) : null;
    return h("section", { class: "versions-titles" }, h("h2", {}, "Titles that changed most"),
      h("p", { class: "quiet" }, "Share of neighbours in common. Choose a title to look into it."), list, more);
  }

  function bar(one, chosen) {
    const on = chosen?.title_id === one.title_id;
    const fill = h("span", { class: "versions-bar-fill" });
    fill.style.width = `${one.overlap * 100}%`;
    return h("li", {}, h("button", { type: "button", class: "versions-bar", "data-title": one.title_id, "aria-pressed": String(on), onclick: () => {
      titleId = on ? null : one.title_id;
      load();
    } }, h("span", { class: "versions-bar-name" }, one.title), h("span", { class: "versions-bar-track", "aria-hidden": "true" }, fill),
    h("span", { class: "figure" }, percent(one.overlap)), h("span", { class: "figure quiet" }, `${one.shots} shots`)));
  }

  function changes(found, title) {
    const heading = h("h2", {}, title ? `Most changed shots of ${title.title}` : "Most changed shots");
    if (!found.changed.length) return h("section", {}, heading, h("p", { class: "quiet" }, "None: all neighbours are the same."));
    return h("section", { class: "versions-changes" }, heading,
      h("p", { class: "quiet" }, "The shot on the left; its neighbours under A above, under B below, nearest first. Those that both have in common are ",
        h("span", { class: "versions-shared-word" }, "marked"), "."),
      h("ol", { class: "versions-changed" }, found.changed.map(changed)));
  }

  function changed(one) {
    const keyOf = (hit) => `${hit.shot} ${hit.title_id}`;
    const shared = new Set(one.a.map(keyOf).filter((key) => one.b.some((hit) => keyOf(hit) === key)));
    const line = (name, version, hits) => h("div", { class: "versions-line" },
      h("p", { class: "versions-line-name" }, h("span", {}, name), h("span", { class: "quiet" }, version)),
      h("ol", { class: "versions-strip", tabindex: 0, "aria-label": `Neighbours under ${version}` }, hits.map((hit) => h("li", { class: shared.has(keyOf(hit)) ? "shared" : null }, small(hit, shared.has(keyOf(hit)))))));
    return h("li", { class: "versions-shot" },
      h("div", { class: "versions-query" }, small(one.query), h("p", { class: "quiet" }, `${percent(one.overlap)} in common`)),
      h("div", { class: "versions-lines" }, line("A", a, one.a), line("B", b, one.b)));
  }

  function small(hit, both = false) {
    const shown = picture(keyframeUrl(hit));
    shown.append(h("span", { class: "picture-time" }, clock(hit.span.start)));
    const why = reasons(hit.because).map((chip) => chip.textContent).join(", ");
    return link(hitPath(hit), { class: "versions-small", title: [hit.title, both && "under both", `cosine ${hit.score.toFixed(2)}`, why].filter(Boolean).join(" · ") },
      shown, h("span", { class: "versions-small-title" }, hit.title), both && h("span", { class: "hidden" }, ", under both"));
  }

  head();
  load();
  return h("section", { class: "versions-compare", "aria-label": "Comparison" }, form, result);
}
