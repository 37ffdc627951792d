/** What colours mean; pointing at a name shows its shots, choosing it selects them. */

import { h } from "../dom.js";
import { css } from "./colours.js";

const NEAR = "Close together means alike in context. Axes and empty space mean nothing.";

/** The legend. `on`: {point(group), choose(group)}. */
export function legend(on) {
  const list = h("ul", { class: "atlas-legend-list" });
  const name = h("summary", {});
  const wide = matchMedia("(min-width: 900px)").matches;
  const element = h("details", { class: "atlas-legend", open: wide }, name, list, h("p", { class: "quiet" }, NEAR));

  return {
    element,
    /** Lists groups: `{names, sizes}` as `groupsOf` gives them, `colours` as `hues` does. */
    show({ names, sizes }, colours, title) {
      const order = names.map((_, i) => i).filter((i) => sizes[i] > 0 && i > 0).sort((a, b) => sizes[b] - sizes[a]);
      if (sizes[0]) order.push(0);
      name.textContent = `${title}, ${order.length}`;
      list.replaceChildren(...order.map((i) => {
        const swatch = h("span", { class: "atlas-swatch" });
        swatch.style.backgroundColor = css(colours[i]);
        const button = h("button", { type: "button", class: "atlas-group", title: `Select ${names[i]}`, onclick: () => on.choose(i) },
          swatch, h("span", { class: "atlas-group-name" }, names[i]), h("span", { class: "figure quiet" }, sizes[i].toLocaleString("en")));
        button.addEventListener("pointerenter", () => on.point(i));
        button.addEventListener("focus", () => on.point(i));
        button.addEventListener("blur", () => on.point(-1));
        return h("li", {}, button);
      }));
      list.onpointerleave = () => on.point(-1);
    },
  };
}
