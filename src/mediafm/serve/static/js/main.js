/** The page: its frame, its addresses. */

import { ApiError, api } from "./api.js";
import { basket } from "./basket.js";
import { h, icon } from "./dom.js";
import { keys, showKeys } from "./keys.js";
import { makeDrawer } from "./parts/basket-drawer.js";
import { go, link, onshow, route, start } from "./router.js";
import { themeSwitch } from "./theme.js";

/** A view that is loaded when it is first shown. */
const later = (load) => async (...given) => {
  const { default: view } = await load().catch(() => {
    throw new ApiError(0, "The server does not answer. Is it running?");
  });
  return view(...given);
};

route("/", later(() => import("./views/catalog.js")));
route("/search", later(() => import("./views/search.js")));
route("/titles/:id", later(() => import("./views/title.js")));
route("/map", later(() => import("./views/map.js")));
route("/versions", later(() => import("./views/versions.js")));
route("/api-docs", later(() => import("./views/api-docs.js")));

const drawer = makeDrawer();

function searchBox() {
  const field = h("input", {
    class: "input", type: "search", name: "q", placeholder: "Search shots by words or meaning", autocomplete: "off",
    "aria-label": "Search shots", enterkeyhint: "search",
  });
  const form = h("form", { class: "search-box", role: "search", action: "/search" }, icon("search"), field, h("kbd", { "aria-hidden": "true" }, "/"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const words = field.value.trim();
    if (!words) return;
    const query = location.pathname === "/search" ? new URLSearchParams(location.search) : new URLSearchParams();
    query.set("q", words);
    go(`/search?${query}`);
    field.blur();
  });
  const follow = () => {
    if (document.activeElement !== field) {
      field.value = location.pathname === "/search" ? new URLSearchParams(location.search).get("q") ?? "" : "";
    }
  };
  onshow(follow);
  return { form, field };
}

function basketButton() {
  const count = h("span", { class: "count" });
  const button = h("button", { class: "tool basket-button", type: "button", "aria-expanded": "false", "aria-controls": "basket", onclick: () => drawer.toggle() },
    icon("basket"), count);
  const show = () => {
    const number = basket.items().length;
    count.textContent = number || "";
    button.setAttribute("aria-label", number === 1 ? "Basket, 1 clip" : `Basket, ${number} clips`);
    button.title = "Basket";
  };
  basket.subscribe(show);
  drawer.onchange((open) => button.setAttribute("aria-expanded", String(open)));
  show();
  return button;
}

const { form, field } = searchBox();
const outlet = h("main", { id: "main", tabindex: "-1" });

document.body.prepend(
  h("a", { class: "skip", href: "#main" }, "To the content"),
  h("header", { class: "top" },
    link("/", { class: "brand", "aria-label": "mediafm, the catalog" }, h("img", { src: "/favicon.ico", alt: "", width: 22, height: 22 }), h("span", {}, "mediafm")),
    h("nav", { "aria-label": "Views" },
      [["/", "Catalog"], ["/map", "Map"], ["/versions", "Versions"]].map(([path, name]) => link(path, { "data-nav": true }, name))),
    form,
    h("div", { class: "top-tools" },
      basketButton(),
      themeSwitch(),
      h("button", { class: "tool keys-button", type: "button", "aria-label": "Keys", title: "Keys (?)", onclick: showKeys }, icon("keyboard")))),
  outlet,
  drawer.element,
  h("footer", { class: "bottom" }, link("/api-docs", {}, "API")),
);

keys(document, {
  "/": () => { field.focus(); field.select(); },
}, [["/", "Search"], ["?", "These keys"]]);

/** Asks for the token where the server wants one, then shows what was asked for. */
async function signIn() {
  if (document.querySelector(".signin")) return;
  const { default: view } = await import("./views/signin.js");
  const back = location.pathname + location.search;
  outlet.replaceChildren();
  await view(outlet, () => go(back, { replace: true }));
}
window.addEventListener("mediafm:signin", signIn);

// Whether a token is needed shows by itself: what is asked for is refused, and the sign-in view comes.
start(outlet);
