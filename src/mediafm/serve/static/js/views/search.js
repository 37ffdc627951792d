/** What a search found: shots, and why. */

import { api } from "../api.js";
import { basket } from "../basket.js";
import { many } from "../count.js";
import { h, icon } from "../dom.js";
import { hitPath, shotCard } from "../parts/card.js";
import { gridKeys } from "../parts/grid-keys.js";
import { toast } from "../toast.js";

const STEP = 24;
const MOST = 500;
const WAYS = { words: "Exact words", text: "Meaning of what is said", video: "Pictures", audio: "Sound" };

/** The view of `/search?q=`; filters change the results, and leave the rest of the page alone. */
export default async function view(root, _params, query, signal) {
  const words = (query.get("q") ?? "").trim();
  document.title = words ? `${words} · mediafm` : "Search · mediafm";
  const results = h("div", {});
  let turn = 0;

  async function look() {
    const mine = ++turn;
    const count = Math.min(Number(query.get("count")) || STEP, MOST);
    const asked = { q: words, count, by: query.getAll("by"), series: query.get("series"), genre: query.get("genre"), tag: query.get("tag"), title: query.get("title") };
    try {
      const answer = await api.get("/search", asked, { signal });
      if (mine === turn) results.replaceChildren(...found(answer, words, count, more));
    } catch (error) {
      if (mine !== turn || error.name === "AbortError" || error.status === 401) return;
      results.replaceChildren(h("div", { class: "state problem", role: "alert" }, h("p", {}, error.message)));
    }
  }

  function keep() {
    history.replaceState(history.state, "", `/search?${query}`);
    return look();
  }

  function change(name, values) {
    query.delete(name);
    values.filter(Boolean).forEach((value) => query.append(name, value));
    query.delete("count");
    results.ariaBusy = "true";
    keep().then(() => { results.ariaBusy = null; });
  }

  function more(count) {
    query.set("count", Math.min(count + STEP, MOST));
    keep();
  }

  const waited = words ? look() : null; // beside the next question
  const about = await api.get("/catalog", null, { signal });
  root.append(h("div", { class: "catalog-head" },
    h("div", {}, h("h1", { class: "asked" }, words ? `“${words}”` : "Search")),
    controls(about, query, change, signal)), results);
  if (!words) {
    results.append(h("p", { class: "state empty" }, "Type above what is said in a shot or what it is about, and press Enter."));
    return null;
  }
  if (!results.firstChild) results.append(h("p", { class: "state loading", role: "status" }, "Searching…"));
  await waited;
  return gridKeys(results);
}

function found(answer, words, count, onmore) {
  const by = answer.by.map((way) => (WAYS[way] ?? way).toLowerCase()).join(" and ");
  const number = answer.hits.length;
  const line = h("p", { class: "count-line", role: "status" }, number ? `${many(number, "shot")}, found by ${by}` : "");
  const notes = answer.notes.map((note) => h("p", { class: "note" }, note));
  if (!number) {
    return [line, ...notes, h("div", { class: "state empty" }, h("h2", {}, "Nothing stands out"),
      h("p", {}, "Try other words, fewer filters, or another way to search."))];
  }
  const grid = h("div", { class: "grid shots" }, answer.hits.map((hit) => shotCard(hit, { why: true, said: said(hit, words), actions: actions(hit) })));
  const more = number >= count && count < MOST
    ? h("button", { class: "button more", type: "button", onclick: () => onmore(count) }, "More shots")
    : null;
  return [line, ...notes, grid, more].filter(Boolean);
}

/** What is said in the shot, with the words of the query marked. */
function said(hit, words) {
  const text = hit.cue || hit.text;
  if (!text) return null;
  const wanted = words.toLocaleLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  const own = hit.because.words !== undefined && wanted.length;
  const parts = own ? text.split(/([\p{L}\p{N}]+)/gu) : [text];
  return h("span", {}, parts.map((part) => (wanted.includes(part.toLocaleLowerCase()) ? h("mark", {}, part) : part)));
}

function actions(hit) {
  return [
    h("button", { class: "tool", type: "button", "aria-label": `Add to the basket: shot ${hit.shot} of ${hit.title}`, title: "Add to the basket",
      onclick: () => {
        basket.add({ title_id: hit.title_id, title: hit.title, ingest_id: hit.ingest_id, shot: hit.shot, span: hit.span, name: "", rate: hit.frame_rate ?? "", timecode: hit.timecode, poster: hit.poster });
        toast("In the basket");
      } }, icon("plus")),
    h("a", { class: "tool", href: `${hitPath(hit)}&panel=similar`, "aria-label": `More like shot ${hit.shot} of ${hit.title}`, title: "More like this" }, icon("alike")),
  ];
}

function controls(about, query, change, signal) {
  const form = h("form", { class: "filters", onsubmit: (event) => event.preventDefault() });
  const chosen = query.getAll("by");
  const ways = h("select", { class: "input", "aria-label": "Way to search", onchange: () => change("by", [ways.value]) },
    h("option", { value: "" }, "All ways"));
  api.get("/search/ways", null, { signal }).then((known) => {
    ways.append(...known.ways.map((way) => h("option", { value: way }, WAYS[way] ?? way)));
    ways.value = chosen.length === 1 && known.ways.includes(chosen[0]) ? chosen[0] : "";
  }, () => {}); // without it, all ways are taken; what is wrong the search says
  const lists = { series: about.series.map((one) => one.series_id), genre: about.genres, tag: about.tags };
  form.append(ways, ...Object.entries(lists).filter(([, names]) => names.length > 1).map(([name, names]) => {
    const label = name[0].toUpperCase() + name.slice(1);
    const menu = h("select", { class: "input", "aria-label": label, onchange: () => change(name, [menu.value]) },
      h("option", { value: "" }, label), names.map((one) => h("option", { value: one }, one)));
    menu.value = query.get(name) ?? "";
    return menu;
  }));
  if (query.get("title")) {
    const chip = h("button", { class: "chip removable", type: "button", onclick: () => {
      change("title", []);
      ways.focus();
      chip.remove();
    } }, `in ${query.get("title")} `, icon("close"), h("span", { class: "hidden" }, "search everywhere"));
    form.append(chip);
  }
  return form;
}
