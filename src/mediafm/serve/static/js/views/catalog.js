/** The catalog: every title with a picture, filtered and in order. */

import { api } from "../api.js";
import { many } from "../count.js";
import { clear, h } from "../dom.js";
import { titleCard } from "../parts/card.js";
import { gridKeys } from "../parts/grid-keys.js";

const PAGE = 60;
const MOST = 500; // titles in one answer
const SORTS = [["title", "By name"], ["newest", "Newest first"], ["longest", "Longest first"], ["shots", "Most shots first"]];
const FILTERS = [["series", "Series"], ["genre", "Genre"], ["tag", "Tag"], ["kind", "Kind"]];

/** The view of `/`; filters are in the address. */
export default async function view(root, _params, query, signal) {
  document.title = "Catalog · mediafm";
  const wanted = Object.fromEntries(["q", "sort", ...FILTERS.map(([name]) => name)].map((name) => [name, query.get(name) ?? ""]));
  const ask = (offset, limit = PAGE) => api.get("/titles", { ...wanted, offset, limit }, { signal });
  // Who comes back finds as many titles as there were; see the router for how far down.
  const before = Math.min(Math.max(history.state?.y ? history.state.titles ?? 0 : 0, PAGE), MOST);
  const [about, first] = await Promise.all([api.get("/catalog", null, { signal }), ask(0, before)]);

  if (!about.titles) {
    root.append(h("div", { class: "state empty" },
      h("h1", {}, "Nothing here yet"),
      h("p", {}, "The catalog ", h("strong", {}, about.name), " has no titles. Take some in:"),
      h("pre", {}, "mediafm ingest /path/to/films"),
      h("p", { class: "quiet" }, "They appear here when the page is loaded again.")));
    return null;
  }

  const count = h("p", { class: "count-line", role: "status", "aria-live": "polite" });
  const grid = h("div", { class: "grid titles" });
  const more = h("button", { class: "button more", type: "button" }, "More titles");
  const failed = h("p", { class: "problem", role: "alert", hidden: true });
  const controls = filterBar(about, wanted, change);
  root.append(
    h("div", { class: "catalog-head" },
      h("div", {}, h("h1", {}, "Catalog"), h("p", { class: "facts" },
        h("span", {}, many(about.titles, "title")), h("span", {}, many(about.shots, "shot")), h("span", {}, lasting(about.duration)))),
      controls),
    count, grid, failed, more);

  let shown = 0;
  let turn = 0;
  let busy = false;
  put(first);

  function put(page) {
    if (page.offset === 0) {
      clear(grid);
      shown = 0;
    }
    grid.append(...page.items.map(titleCard));
    shown += page.items.length;
    const filtered = ["q", "series", "genre", "tag", "kind"].some((name) => wanted[name]);
    count.textContent = filtered ? `${many(page.total, "title")} of ${about.titles.toLocaleString("en")}` : "";
    more.hidden = shown >= page.total;
    history.replaceState({ ...history.state, titles: shown }, "");
    if (!page.total) grid.append(h("p", { class: "state empty" }, "No title is like that. ", h("button", { class: "link", type: "button", onclick: reset }, "Show all")));
  }

  async function load(offset) {
    const mine = ++turn;
    busy = true;
    try {
      const page = await ask(offset);
      if (mine === turn) put(page);
      failed.hidden = true;
    } catch (error) {
      if (error.name === "AbortError" || mine !== turn) return;
      failed.textContent = error.message;
      failed.hidden = false;
    } finally {
      if (mine === turn) busy = false;
    }
  }

  function change(name, value) {
    if (signal.aborted) return; // typed just before another view was opened
    wanted[name] = value;
    const kept = new URLSearchParams(Object.entries(wanted).filter(([, one]) => one));
    history.replaceState(null, "", kept.size ? `/?${kept}` : "/");
    load(0);
  }

  function reset() {
    for (const name of Object.keys(wanted)) wanted[name] = "";
    controls.reset();
    controls.elements[0].focus();
    change("q", "");
  }

  more.addEventListener("click", () => busy || load(shown));
  const watcher = new IntersectionObserver(([entry]) => {
    if (entry.isIntersecting && !more.hidden && !busy) load(shown);
  }, { rootMargin: "600px" });
  watcher.observe(more);
  const unbind = gridKeys(grid);
  return () => {
    unbind();
    watcher.disconnect();
  };
}

/** `35 h 20 min`, `10 min`, `40 s`. */
function lasting(us) {
  const minutes = Math.round(us / 6e7);
  if (minutes < 1) return `${Math.round(us / 1e6)} s`;
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60).toLocaleString("en")} h ${minutes % 60} min`;
}

function filterBar(about, wanted, change) {
  const names = { series: about.series.map((one) => one.series_id), genre: about.genres, tag: about.tags, kind: about.kinds };
  let timer = 0;
  const field = h("input", { class: "input", type: "search", placeholder: "Title", "aria-label": "Titles with these words",
    oninput: (event) => { clearTimeout(timer); timer = setTimeout(() => change("q", event.target.value.trim()), 200); } });
  field.value = wanted.q; // no attribute: the form is emptied by a reset
  const menus = FILTERS.filter(([name]) => names[name].length > 1 || wanted[name]).map(([name, label]) => {
    const menu = h("select", { class: "input", "aria-label": label, onchange: () => change(name, menu.value) },
      h("option", { value: "" }, label), names[name].map((one) => h("option", { value: one }, one)));
    menu.value = wanted[name];
    return menu;
  });
  const sort = h("select", { class: "input", "aria-label": "Order", onchange: () => change("sort", sort.value) },
    SORTS.map(([value, label]) => h("option", { value: value === "title" ? "" : value }, label)));
  sort.value = wanted.sort;
  const form = h("form", { class: "filters", onsubmit: (event) => event.preventDefault(), onreset: () => clearTimeout(timer) }, field, menus, sort);
  return form;
}
