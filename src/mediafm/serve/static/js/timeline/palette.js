/** The page's colours for canvases, read again when the theme changes; and text that is measured once. */

const NAMES = ["bg", "surface", "raised", "line", "text", "muted", "context", "alone", "good", "bad", "accent"];

/** Colours by the names of their tokens; `onchange` is called when the theme changes. */
export function makePalette(onchange) {
  const palette = {};

  function read() {
    const style = getComputedStyle(document.documentElement);
    for (const name of NAMES) palette[name] = style.getPropertyValue(`--${name}`).trim() || "#888";
    palette.family = getComputedStyle(document.body).fontFamily || "system-ui, sans-serif";
  }

  function changed() {
    read();
    onchange();
  }

  read();
  const observer = new MutationObserver(changed);
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  const scheme = matchMedia("(prefers-color-scheme: light)");
  scheme.addEventListener("change", changed);
  return {
    colours: palette,
    destroy() {
      observer.disconnect();
      scheme.removeEventListener("change", changed);
    },
  };
}

/** Draws text into a width; the width of each text is measured once. */
export function makeText() {
  const widths = new Map();
  return {
    width(g, text) {
      const key = `${g.font}|${text}`;
      let width = widths.get(key);
      if (width === undefined) {
        if (widths.size > 20000) widths.clear();
        width = g.measureText(text).width;
        widths.set(key, width);
      }
      return width;
    },
    /** Draws as much as fits, with an ellipsis; gives the width used. */
    draw(g, text, x, y, room) {
      if (room < 12 || !text) return 0;
      const width = this.width(g, text);
      if (width <= room) {
        g.fillText(text, x, y);
        return width;
      }
      // By the average letter, not by measuring again.
      const letters = Math.floor((text.length * (room - 8)) / width);
      if (letters < 2) return 0;
      g.fillText(`${text.slice(0, letters).trimEnd()}…`, x, y);
      return room;
    },
  };
}
