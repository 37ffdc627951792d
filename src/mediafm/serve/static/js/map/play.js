/** Plays shots one after another: the film where the browser can, its keyframes where it cannot. */

import { api, keyframeUrl, url } from "../api.js";
import { h, icon } from "../dom.js";
import { link } from "../router.js";
import { clock } from "../time.js";

const LEAST = 900;
const MOST = 4000;

const sources = new Map();

/** Where a title's film is: the address, `null` where only keyframes can be shown. */
function sourceOf(titleId) {
  const path = `/titles/${encodeURIComponent(titleId)}`;
  if (!sources.has(titleId)) {
    sources.set(titleId, (async () => {
      const { media } = await api.get(path);
      if (media?.state === "direct") return url(`${path}/media`);
      if (media?.state !== "proxy") return null;
      const job = await api.get(`${path}/proxy/status`);
      return job.state === "ready" ? url(`${path}/proxy`) : null;
    })().catch(() => null));
  }
  return sources.get(titleId);
}

/** Opens the player. `clip(i)` gives `{title_id, title, ingest_id, shot, span}`; `onshot(i)` hears what is on. */
export function play(ids, clip, { at = 0, onshot = () => {} } = {}) {
  const film = h("video", { class: "reel-film", playsinline: true, preload: "auto", hidden: true });
  const still = h("img", { class: "reel-film", alt: "" });
  const name = h("p", { class: "reel-name" });
  const count = h("p", { class: "quiet times" });
  const bar = h("div", { class: "reel-bar" });
  const button = (label, mark, act) => h("button", { class: "tool", type: "button", "aria-label": label, title: label, onclick: act }, icon(mark));
  const toggle = button("Pause", "pause", () => pause(!paused));
  const dialog = h("dialog", { class: "dialog reel", "aria-label": "Selected shots, one after another" },
    h("div", { class: "reel-screen" }, still, film, h("div", { class: "reel-track" }, bar)),
    h("div", { class: "reel-foot" }, h("div", { class: "reel-words" }, name, count),
      button("Shot before", "left", () => step(-1)), toggle, button("Next shot", "right", () => step(1)),
      button("Close", "close", () => dialog.close())));
  let place = at;
  let paused = false;
  let timer = 0;
  let frame = 0;
  let turn = 0;
  let left = 0;
  let since = 0;

  async function show() {
    const mine = ++turn;
    clearTimeout(timer);
    film.pause();
    const one = clip(ids[place]);
    onshot(ids[place]);
    name.replaceChildren(link(`/titles/${encodeURIComponent(one.title_id)}?t=${one.span.start}`, { onclick: () => dialog.close() }, one.title), ` ${clock(one.span.start)}`);
    count.textContent = `${(place + 1).toLocaleString("en")} of ${ids.length.toLocaleString("en")}`;
    still.hidden = false;
    film.hidden = true;
    still.src = keyframeUrl(one.title_id, one.ingest_id, one.shot);
    const source = await sourceOf(one.title_id);
    if (mine !== turn) return;
    if (place + 1 < ids.length) new Image().src = keyframeUrl(...Object.values((({ title_id, ingest_id, shot }) => ({ title_id, ingest_id, shot }))(clip(ids[place + 1]))));
    if (!source) return hold(one);
    const [start, end] = [one.span.start / 1e6, one.span.end / 1e6];
    try {
      await seek(source, start, end);
      if (mine !== turn) return;
      if (!paused) await film.play();
      if (mine !== turn) return;
      film.hidden = false;
      still.hidden = true;
      watch(mine, start, end);
    } catch {
      if (mine === turn) hold(one);
    }
  }

  /** Loads a film, or goes on in the one that is there. */
  function seek(source, start, end) {
    return new Promise((done, fail) => {
      film.onseeked = film.oncanplay = done;
      film.onerror = () => fail(new Error("not playable"));
      if (film.dataset.source === source) {
        film.currentTime = start;
      } else {
        film.dataset.source = source;
        film.src = `${source}#t=${start},${end}`;
      }
    });
  }

  function watch(mine, start, end) {
    cancelAnimationFrame(frame);
    const look = () => {
      if (mine !== turn) return;
      bar.style.transform = `scaleX(${Math.max(0, Math.min(1, (film.currentTime - start) / (end - start)))})`;
      if (film.currentTime >= end - 0.02 || film.ended) return step(1, true);
      frame = requestAnimationFrame(look);
    };
    look();
  }

  /** A keyframe for as long as the shot lasts, within bounds. */
  function hold(one) {
    bar.style.transform = "scaleX(1)";
    left = Math.max(LEAST, Math.min(MOST, (one.span.end - one.span.start) / 1000));
    since = performance.now();
    if (!paused) timer = setTimeout(() => step(1, true), left);
  }

  function step(by, itself = false) {
    const next = place + by;
    if (next < 0 || next >= ids.length) {
      if (itself) pause(true);
      return;
    }
    place = next;
    show();
  }

  function pause(next) {
    paused = next;
    toggle.replaceChildren(icon(paused ? "play" : "pause"));
    toggle.setAttribute("aria-label", paused ? "Play" : "Pause");
    toggle.title = paused ? "Play" : "Pause";
    if (!film.hidden) {
      if (paused) film.pause();
      else if (film.currentTime * 1e6 >= clip(ids[place]).span.end - 30000) show();
      else film.play().catch(() => {});
    } else if (paused) {
      clearTimeout(timer);
      left -= performance.now() - since;
    } else {
      since = performance.now();
      timer = setTimeout(() => step(1, true), Math.max(left, 0));
    }
  }

  dialog.addEventListener("keydown", (event) => {
    const act = { " ": () => pause(!paused), k: () => pause(!paused), ArrowLeft: () => step(-1), ArrowRight: () => step(1), j: () => step(-1), l: () => step(1) }[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === " " && event.target instanceof HTMLButtonElement && event.target !== toggle) return;
    event.preventDefault();
    act();
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => {
    turn++;
    clearTimeout(timer);
    cancelAnimationFrame(frame);
    film.removeAttribute("src");
    film.load();
    dialog.remove();
    onshot(-1);
  });
  document.body.append(dialog);
  dialog.showModal();
  toggle.focus();
  show();
  return dialog;
}
