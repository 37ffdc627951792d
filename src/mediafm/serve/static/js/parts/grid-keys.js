/** Arrow keys between the cards of a grid: as far as it goes, never round the edge. */

import { keys } from "../keys.js";

/** Binds them; gives what removes them. */
export function gridKeys(grid) {
  const openers = () => [...grid.querySelectorAll(".card-open")];
  const middle = (box) => box.left + box.width / 2;
  const focus = (opener) => {
    opener?.focus();
    opener?.scrollIntoView({ block: "nearest" });
  };

  function along(step) {
    const all = openers();
    const here = all.indexOf(document.activeElement?.closest(".card")?.querySelector(".card-open"));
    focus(all[here + step]);
  }

  /** The card of the next row that is nearest to the column: rows may be short. */
  function across(step) {
    const own = document.activeElement?.closest(".card")?.querySelector(".card-open");
    if (!own) return;
    const from = own.getBoundingClientRect();
    const beyond = openers().map((opener) => ({ opener, box: opener.getBoundingClientRect() }))
      .filter(({ box }) => (box.top - from.top) * step > 1);
    const row = step * Math.min(...beyond.map(({ box }) => box.top * step));
    const near = beyond.filter(({ box }) => Math.abs(box.top - row) < 1)
      .sort((a, b) => Math.abs(middle(a.box) - middle(from)) - Math.abs(middle(b.box) - middle(from)));
    focus(near[0]?.opener);
  }

  return keys(grid, {
    arrowright: () => along(1), arrowleft: () => along(-1), arrowdown: () => across(1), arrowup: () => across(-1),
  }, [["← → ↑ ↓", "From picture to picture"]]);
}
