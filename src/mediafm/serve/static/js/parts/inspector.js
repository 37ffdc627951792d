/** The tabs at the side of a title. A panel is made when it is first shown, and works only while it is. */

import { h } from "../dom.js";

/** Calls `listen` on topics of a stage while a panel is on; once more when it comes back and missed some. */
export function makeLive(stage) {
  const stops = [];
  let on = false;
  const all = [];
  return {
    watch(topics, listen) {
      const one = { listen, missed: false };
      all.push(one);
      stops.push(stage.on(topics, () => (on ? listen(stage.state) : (one.missed = true))));
    },
    /** The same for what is no topic of the stage. */
    relay(listen) {
      const one = { listen, missed: false };
      all.push(one);
      return () => (on ? listen() : (one.missed = true));
    },
    turn(now) {
      on = now;
      if (!on) return;
      for (const one of all) {
        if (one.missed) {
          one.missed = false;
          one.listen(stage.state);
        }
      }
    },
    destroy: () => stops.forEach((stop) => stop()),
  };
}

/** Tabs over `panels`: [{id, label, make(live) -> element}]. */
export function makeInspector({ stage }, panels) {
  const tabs = panels.map(({ id, label }) =>
    h("button", { type: "button", role: "tab", class: "tab", id: `tab-${id}`, "aria-controls": `panel-${id}`,
      "aria-selected": "false", tabindex: -1, onclick: () => open(id) }, label));
  const bodies = panels.map(({ id }) =>
    h("div", { class: "panel", role: "tabpanel", id: `panel-${id}`, "aria-labelledby": `tab-${id}`,
      tabindex: 0, hidden: true }));
  const lives = panels.map(() => null);
  const list = h("div", { class: "tabs", role: "tablist", "aria-label": "About this place and title" }, tabs);
  const el = h("aside", { class: "inspector", "aria-label": "Inspector" }, list, bodies);
  let current = -1;

  function open(id, { focus = false } = {}) {
    const next = panels.findIndex((panel) => panel.id === id);
    if (next !== current) {
      if (current >= 0) {
        lives[current].turn(false);
        bodies[current].hidden = true;
        tabs[current].setAttribute("aria-selected", "false");
        tabs[current].tabIndex = -1;
      }
      current = next;
      bodies[next].hidden = false;
      tabs[next].setAttribute("aria-selected", "true");
      tabs[next].tabIndex = 0;
      const first = !lives[next];
      if (first) lives[next] = makeLive(stage);
      lives[next].turn(true);
      if (first) bodies[next].append(panels[next].make(lives[next]));
      stage.set({ panel: id });
    }
    tabs[next].scrollIntoView?.({ block: "nearest", inline: "nearest" });
    if (focus) tabs[next].focus();
  }

  list.addEventListener("keydown", (event) => {
    const to = { ArrowRight: current + 1, ArrowLeft: current - 1, Home: 0, End: panels.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation(); // here, arrows do not move the playhead
    open(panels[(to + panels.length) % panels.length].id, { focus: true });
  });

  return { el, open, destroy: () => lives.forEach((live) => live?.destroy()) };
}

const turns = new WeakMap();

/** A panel's part that loads: says so, then what came, or why it did not; unless it loads something else by then. */
export async function fill(node, load, draw) {
  const mine = (turns.get(node) ?? 0) + 1;
  turns.set(node, mine);
  node.replaceChildren(h("p", { class: "quiet loading" }, "Loading…"));
  try {
    const found = await load();
    if (turns.get(node) !== mine) return;
    node.replaceChildren();
    node.append(...[draw(found)].flat().filter(Boolean));
  } catch (error) {
    if (error.name === "AbortError" || turns.get(node) !== mine) return;
    node.replaceChildren(
      h("p", { class: "problem", role: "alert" }, error.message),
      h("button", { type: "button", class: "button", onclick: () => fill(node, load, draw) }, "Try again"),
    );
  }
}

/** Notes of an answer: what a user should know. */
export const notesOf = (notes) =>
  notes?.length ? h("ul", { class: "notes" }, notes.map((note) => h("li", {}, note))) : null;
