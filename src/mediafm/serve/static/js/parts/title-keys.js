/** The keys of a title page: editors' conventions. */

import { keys } from "../keys.js";
import { chosen, mark, toBasket } from "./marks.js";
import { copyTimecode } from "./transport.js";

const SECOND = 1e6;

/** Keys that a focused control has for itself, when it was reached by keyboard. */
function keepsKey({ key, target }) {
  if (!(target instanceof Element) || !target.matches(":focus-visible")) return false;
  if (key === " ") return target.matches("button, a[href], summary, input");
  if (/^(Arrow|Home|End)/.test(key)) return target.matches("input[type=range], input[type=radio]");
  return false;
}

function guard(event) {
  if (keepsKey(event)) event.stopPropagation();
}

/** Binds the keys; gives what removes them. */
export function bindKeys(about) {
  const { stage, deck, timeline, transport, open } = about;
  const space = () => {
    // A button that was clicked would be pressed again.
    if (document.activeElement?.matches("button, a[href]")) document.activeElement.blur();
    deck.toggle();
  };
  const nearer = () => timeline.zoom(1.6);
  const farther = () => timeline.zoom(1 / 1.6);
  const map = {
    j: () => deck.shuttle(-1),
    k: () => deck.pause(),
    l: () => deck.shuttle(1),
    " ": space,
    arrowleft: () => deck.step(-1),
    arrowright: () => deck.step(1),
    "shift+arrowleft": () => deck.skip(-SECOND),
    "shift+arrowright": () => deck.skip(SECOND),
    arrowup: () => deck.stepShot(-1),
    arrowdown: () => deck.stepShot(1),
    home: () => deck.seek(0),
    end: () => deck.seek(stage.duration),
    i: () => mark(stage, "in"),
    o: () => mark(stage, "out"),
    x: () => stage.set({ markIn: null, markOut: null }),
    b: () => toBasket(about, chosen(stage)),
    c: () => copyTimecode(about),
    g: () => transport.field.focus(),
    s: () => open("similar"),
    "+": nearer,
    "=": nearer,
    "-": farther,
    f: () => timeline.scale.fit(),
  };
  document.addEventListener("keydown", guard, true);
  const unbind = keys(document, map, [
    ["J K L", "Back, stop, on; again: faster"],
    ["Space", "Play, pause"],
    ["← →", "One frame"],
    ["Shift ← →", "One second"],
    ["↑ ↓", "Previous, next shot"],
    ["Home End", "Start, end"],
    ["I O", "Mark in, out"],
    ["X", "Clear marks"],
    ["B", "Marked clip, or else the shot, into the basket"],
    ["C", "Copy timecode"],
    ["G", "Go to a timecode"],
    ["S", "More like this"],
    ["+ −", "Timeline nearer, farther"],
    ["F", "Whole timeline"],
  ]);
  return () => {
    unbind();
    document.removeEventListener("keydown", guard, true);
  };
}
