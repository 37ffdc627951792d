/** Plays shots one after another: the film where the browser can, its keyframes where it cannot. */

import { api, keyframeUrl, url } from "../api.js";
import { h, icon } from "../dom.js";
import { link } from "../router.js";
import { store } from "../store.js";
import { timeOf } from "../time.js";

const LEAST = 900;
const MOST = 4000;

const sources = new Map();

/** Where a title's film is: `{address, pictured}`, `null` where only keyframes can be shown. */
function sourceOf(titleId) {
  const path = `/titles/${encodeURIComponent(titleId)}`;
  if (!sources.has(titleId)) {
    sources.set(titleId, (async () => {
      const { media, width } = await api.get(path);
      const pictured = width > 0;
      if (media?.state === "direct") return { address: url(`${path}/media`), pictured };
      if (media?.state !== "proxy") return null;
      const job = await api.get(`${path}/proxy/status`);
      return job.state === "ready" ? { address: url(`${path}/proxy`), pictured } : null;
    })().catch(() => {
      sources.delete(titleId); // the next shot asks again
      return null;
    }));
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
  let holding = false; // a keyframe, for `left` ms from `since` on; timers run only then
  let left = 0;
  let since = 0;
  const broken = new Set(); // titles whose film failed here: their keyframes do
  const sound = store("sound", { volume: 1, muted: false });

  async function show() {
    const mine = ++turn;
    release();
    film.onerror = null;
    film.pause();
    const one = clip(ids[place]);
    onshot(ids[place]);
    name.replaceChildren(link(`/titles/${encodeURIComponent(one.title_id)}?t=${one.span.start}`, { onclick: () => dialog.close() }, one.title), ` ${timeOf(one.span.start, one.rate, one.timecode)}`);
    count.textContent = `${(place + 1).toLocaleString("en")} of ${ids.length.toLocaleString("en")}`;
    still.hidden = false;
    film.hidden = true;
    const picture = keyframeUrl(one);
    if (picture) still.src = picture;
    else still.removeAttribute("src");
    const source = broken.has(one.title_id) ? null : await sourceOf(one.title_id);
    if (mine !== turn) return;
    const next = place + 1 < ids.length ? keyframeUrl(clip(ids[place + 1])) : null;
    if (next) new Image().src = next;
    if (!source) return hold(one);
    const [start, end] = [one.span.start / 1e6, one.span.end / 1e6];
    const fail = () => {
      if (mine !== turn) return;
      broken.add(one.title_id);
      delete film.dataset.source;
      hold(one);
    };
    try {
      await seek(source.address, start, end);
    } catch {
      return fail();
    }
    if (mine !== turn) return;
    // Browsers play the sound of what they cannot decode, and show nothing.
    if (source.pictured && !film.videoWidth) return fail();
    film.onerror = fail;
    film.hidden = false;
    still.hidden = true;
    watch(mine, start, end);
    if (!paused) run();
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

  function run() {
    // Interrupted by a pause or by the next shot, it has nothing to say; errors of the film come by themselves.
    film.play().catch((error) => { if (error.name === "NotAllowedError") pause(true); });
  }

  function watch(mine, start, end) {
    cancelAnimationFrame(frame);
    const look = () => {
      if (mine !== turn || film.hidden) return;
      bar.style.transform = `scaleX(${Math.max(0, Math.min(1, (film.currentTime - start) / (end - start)))})`;
      if (film.currentTime >= end - 0.02 || film.ended) return step(1, true);
      frame = requestAnimationFrame(look);
    };
    look();
  }

  /** A keyframe for as long as the shot lasts, within bounds. */
  function hold(one) {
    film.hidden = true;
    still.hidden = false;
    bar.style.transform = "scaleX(1)";
    holding = true;
    left = Math.max(LEAST, Math.min(MOST, (one.span.end - one.span.start) / 1000));
    if (!paused) wait();
  }

  function wait() {
    since = performance.now();
    timer = setTimeout(() => step(1, true), left);
  }

  function release() {
    holding = false;
    clearTimeout(timer);
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
    if (next === paused) return;
    paused = next;
    toggle.replaceChildren(icon(paused ? "play" : "pause"));
    toggle.setAttribute("aria-label", paused ? "Play" : "Pause");
    toggle.title = paused ? "Play" : "Pause";
    if (holding && paused) {
      clearTimeout(timer);
      left -= performance.now() - since;
    } else if (holding) {
      if (left > 0) wait();
      else show(); // the last one, again
    } else if (!film.hidden) {
      if (paused) film.pause();
      else if (film.currentTime * 1e6 >= clip(ids[place]).span.end - 30000) show();
      else run();
    } // else it loads, and show() looks then
  }

  const unhear = sound.subscribe(hear);
  function hear() {
    const { volume = 1, muted = false } = sound.get() ?? {};
    film.volume = Math.max(0, Math.min(1, Number(volume) || 0));
    film.muted = Boolean(muted);
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
    release();
    unhear();
    film.onerror = null;
    cancelAnimationFrame(frame);
    film.removeAttribute("src");
    film.load();
    dialog.remove();
    onshot(-1);
  });
  document.body.append(dialog);
  dialog.showModal();
  toggle.focus();
  hear();
  show();
  return dialog;
}
