/** Dark or light: as the system says, until somebody chooses. */

import { h, icon } from "./dom.js";
import { store } from "./store.js";

const chosen = store("theme", "");
const system = matchMedia("(prefers-color-scheme: light)");

const current = () => chosen.get() || (system.matches ? "light" : "dark");

function apply() {
  document.documentElement.dataset.theme = current();
}

/** The switch; everything that draws by hand hears `mediafm:theme`. */
export function themeSwitch() {
  const button = h("button", { class: "tool", type: "button" });
  const show = () => {
    apply();
    const next = current() === "dark" ? "light" : "dark";
    button.replaceChildren(icon(next === "light" ? "sun" : "moon"));
    button.setAttribute("aria-label", `Use the ${next} theme`);
    button.title = `Use the ${next} theme`;
    window.dispatchEvent(new CustomEvent("mediafm:theme"));
  };
  button.addEventListener("click", () => chosen.set(current() === "dark" ? "light" : "dark"));
  chosen.subscribe(show);
  system.addEventListener("change", show);
  show();
  return button;
}

apply();
