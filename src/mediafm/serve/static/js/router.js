/**
 * Addresses and views. A view is called as `(root, params, query, signal)`: it fills the element and gives what cleans
 * up after it. The signal is aborted when the view is left, or overtaken while it still loads: what it asks for ends
 * with an error then, and nothing outside its element may be touched any more.
 */

import { h } from "./dom.js";

const routes = [];
let outlet = null;
let leave = null;
let leaving = null;
const hearers = new Set();
let turn = 0;
let shown = "";
let noting = 0;

/** Shows a view under addresses such as `/titles/:id`. */
export function route(pattern, view) {
  const names = [];
  const source = pattern.replace(/:(\w+)/g, (_, name) => { names.push(name); return "(.+)"; });
  routes.push({ match: new RegExp(`^${source}/?$`), names, view });
}

/** Goes to an address of the page. */
export function go(path, { replace = false } = {}) {
  if (!replace) noteScroll();
  history[replace ? "replaceState" : "pushState"](null, "", path);
  return show();
}

/** Keeps with an address how far down it was read: the way back leads there. */
function noteScroll() {
  history.replaceState({ ...history.state, y: window.scrollY }, "");
}

/** Calls back whenever an address is shown. */
export function onshow(hear) {
  hearers.add(hear);
}

/** A link that the router follows. */
export function link(path, props, ...children) {
  return h("a", { ...props, href: path }, ...children);
}

function followed(event) {
  if (event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const anchor = event.target instanceof Element ? event.target.closest("a[href]") : null;
  if (!anchor || anchor.target || anchor.hasAttribute("download") || anchor.origin !== location.origin) return;
  if (anchor.pathname.startsWith("/api/")) return;
  event.preventDefault();
  const within = anchor.getAttribute("href");
  if (within.startsWith("#")) { // the browser would go to another address, which is the same view
    document.getElementById(within.slice(1))?.focus();
    return;
  }
  go(anchor.pathname + anchor.search + anchor.hash);
}

/** Starts the page in an element. */
export function start(element) {
  outlet = element;
  document.addEventListener("click", followed);
  // The browser would scroll before there is anything to scroll to.
  history.scrollRestoration = "manual";
  const back = async () => {
    const y = history.state?.y ?? 0;
    const drawn = show();
    const mine = turn;
    await drawn;
    if (mine === turn) window.scrollTo(0, y);
  };
  window.addEventListener("popstate", back);
  window.addEventListener("scroll", () => {
    clearTimeout(noting);
    noting = setTimeout(noteScroll, 150);
  }, { passive: true });
  return back(); // loaded again, it is where it was
}

/** Draws the view of the address again. */
export const again = () => show();

async function show() {
  const mine = ++turn;
  clearTimeout(noting);
  leaving?.abort();
  const { signal } = (leaving = new AbortController());
  document.querySelectorAll("dialog[open]").forEach((dialog) => dialog.close()); // they were about what was shown
  hearers.forEach((hear) => hear());
  const found = routes.map((one) => ({ one, hit: one.match.exec(location.pathname) })).find(({ hit }) => hit);
  await leave?.();
  leave = null;
  if (mine !== turn) return;
  const moved = shown !== "" && shown !== location.pathname;
  shown = location.pathname;
  document.querySelectorAll("[data-nav]").forEach((anchor) => {
    const here = location.pathname === anchor.getAttribute("href");
    if (here) anchor.setAttribute("aria-current", "page");
    else anchor.removeAttribute("aria-current");
  });
  // The message stands behind the view, and shows (see shell.css) only as long as that is empty.
  const root = h("div", { class: "view" });
  outlet.replaceChildren(root, h("p", { class: "state loading", role: "status" }, "Loading…"));
  if (moved) {
    window.scrollTo(0, 0);
    outlet.focus({ preventScroll: true });
  }
  try {
    if (!found) throw Object.assign(new Error("There is no such page."), { status: 404 });
    const params = Object.fromEntries(found.one.names.map((name, i) => [name, decodeURIComponent(found.hit[i + 1])]));
    const cleanup = await found.one.view(root, params, new URLSearchParams(location.search), signal);
    if (mine !== turn) {
      cleanup?.();
      return;
    }
    leave = cleanup ?? null;
    outlet.replaceChildren(root);
  } catch (error) {
    // The sign-in view takes the place of what needs a token.
    if (mine === turn && error.name !== "AbortError" && error.status !== 401) outlet.replaceChildren(problem(error));
  }
}

function problem(error) {
  document.title = "mediafm";
  if (error.status === undefined) console.error(error); // ours: it says nothing to people
  return h("div", { class: "state problem", role: "alert" },
    h("h1", {}, error.status === 404 ? "Not found" : "That did not work"),
    h("p", {}, error.status === undefined ? "Something in the page is broken. Its console says what." : error.message),
    h("p", {}, h("button", { class: "button", type: "button", onclick: again }, "Try again"), " ",
      link("/", { class: "button" }, "To the catalog")));
}
