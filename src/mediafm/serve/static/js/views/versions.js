/** Versions of the embeddings: which there are, which readers see, and how two of them differ. */

import { api } from "../api.js";
import { h } from "../dom.js";
import { comparison } from "../map/comparison.js";
import { again } from "../router.js";
import { toast } from "../toast.js";

/** The view of `/versions?a=&b=&title=`. */
export default async function view(root, _params, query, signal) {
  document.title = "Versions · mediafm";
  const { current, before, versions } = await api.get("/versions", null, { signal });
  const page = h("div", { class: "versions" });
  page.append(h("header", { class: "versions-head" },
    h("div", {}, h("h1", {}, "Versions"),
      h("p", { class: "quiet" }, "Each is one model’s contextual embeddings of the whole catalog. Readers see the current one.")),
    before && back(current, before)));
  root.append(page);
  if (!versions.length) {
    page.append(h("div", { class: "state" }, h("h2", {}, "There is no version yet"),
      h("p", {}, "Train a model on the catalog and embed all titles with it:"), h("pre", {}, h("code", {}, "mediafm pretrain\nmediafm embed"))));
    return null;
  }
  page.append(table(versions));
  if (versions.length < 2) {
    page.append(h("div", { class: "state" }, h("h2", {}, "Nothing to compare with yet"),
      h("p", {}, "A second version is filled in beside this one, and readers notice nothing until it is made current:"),
      h("pre", {}, h("code", {}, "mediafm embed --model NEW-MODEL --version NEW\nmediafm version validate NEW clip-tone"))));
    return null;
  }
  page.append(comparison(versions, current, query, signal));
  return null;
}

function back(current, before) {
  return h("button", { class: "button", type: "button", onclick: () => confirm({
    title: `Roll back to ${before}?`,
    text: ["Readers who name no version get ", h("strong", {}, before), ", which was current before ", h("strong", {}, current), "."],
    label: "Roll back",
    run: () => api.post("/versions/rollback"),
  }) }, "Roll back");
}

function table(versions) {
  const heads = ["Version", "State", "Gate", "Width", "Model", "Made", ""];
  return h("div", { class: "versions-scroll", tabindex: 0, role: "region", "aria-label": "All versions" },
    h("table", { class: "versions-table" },
      h("thead", {}, h("tr", {}, heads.map((name) => h("th", { scope: "col" }, name || h("span", { class: "hidden" }, "What to do"))))),
      h("tbody", {}, [...versions].reverse().map(row))));
}

function row(version) {
  const failed = version.validations.at(-1)?.passed === false;
  return h("tr", { class: version.current ? "current" : null },
    h("th", { scope: "row" }, version.name, version.current && h("span", { class: "versions-now" }, "current")),
    h("td", {}, version.lacking ? `lacks ${version.lacking} ${version.lacking === 1 ? "title" : "titles"}` : "complete"),
    h("td", { class: failed ? "bad" : null }, version.gate === "-" ? h("span", { class: "quiet" }, "not validated") : version.gate),
    h("td", { class: "figure" }, version.dim),
    h("td", {}, version.model || h("span", { class: "quiet" }, "not recorded")),
    h("td", { class: "figure" }, version.made),
    h("td", {}, version.current ? null
      : version.lacking ? h("span", { class: "quiet" }, "fill it: ", h("code", {}, `mediafm version backfill ${version.name}`))
        : h("button", { class: "button", type: "button", "aria-label": `Promote ${version.name}`, onclick: () => promote(version, failed) }, "Promote")));
}

function promote(version, failed) {
  const wide = version.validations.length ? null : "No gate has been run for it: its quality is unknown. ";
  return confirm({
    title: `Make ${version.name} current?`,
    text: [failed ? h("span", { class: "bad" }, `It failed the gate (${version.gate}). `) : wide,
      "Every search, suggestion and script that names no version uses it from its next refresh on. The version of now stays, and you can roll back."],
    label: failed ? "Promote all the same" : "Promote",
    run: () => api.post(`/versions/${encodeURIComponent(version.name)}/promote`, { force: failed }),
  });
}

/** Asks, does it, and says what became of it. */
function confirm({ title, text, label, run }) {
  const line = h("p", { class: "problem", role: "alert" });
  const doer = h("button", { class: "button primary", type: "button", onclick: async () => {
    doer.disabled = true;
    try {
      const { current } = await run();
      dialog.close();
      toast(`${current} is current`);
      again();
    } catch (error) {
      line.textContent = error.message;
      doer.disabled = false;
    }
  } }, label);
  const dialog = h("dialog", { class: "dialog versions-dialog", "aria-labelledby": "versions-ask" },
    h("h2", { id: "versions-ask" }, title), h("p", {}, text), line,
    h("form", { method: "dialog", class: "versions-answers" }, h("button", { class: "button", autofocus: true }, "Cancel"), doer));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
