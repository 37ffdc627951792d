/** The viewer of a title: a video, or its keyframes where there is none (yet), and captions. */

import { keyframeUrl, url } from "../api.js";
import { clear, h } from "../dom.js";
import { makeDeck } from "./deck.js";
import { proxyNotice } from "./proxy.js";
import { bisect } from "./stage.js";

/** Cues in the order of their starts, found by time. */
export function cueFinder(cues) {
  const starts = cues.map((cue) => cue.span.start);
  const latest = []; // the last end so far: how far back one has to look
  cues.forEach((cue, i) => latest.push(Math.max(cue.span.end, latest[i - 1] ?? 0)));
  return {
    starts,
    /** The cues that are on at a time. */
    at(time) {
      return this.within(time, time + 1);
    },
    /** The cues that overlap a stretch. */
    within(start, end) {
      const found = [];
      for (let i = bisect(starts, end - 1); i >= 0 && latest[i] > start; i--) {
        if (cues[i].span.end > start) found.push(cues[i]);
      }
      return found.reverse();
    },
  };
}

const UNREADABLE = "The file could not be read to its end.";

/** Why a file is not sent, `{status, why}`; null where it is. */
async function withheld(address) {
  try {
    const answer = await fetch(address, { headers: { range: "bytes=0-0" }, cache: "no-store" });
    if (answer.status === 200 || answer.status === 206) {
      answer.body?.cancel().catch(() => {}); // all of it, where ranges are not known
      return null;
    }
    const said = await answer.json().catch(() => null);
    return { status: answer.status, why: said?.error ?? `The server says ${answer.status}` };
  } catch {
    return { status: 0, why: "The server does not answer. Is it running?" };
  }
}

/** The player; its `deck` moves the time. */
export function makePlayer({ title, stage, finder, frame }) {
  const about = title.media;
  const video = h("video", { class: "viewer-video", preload: "auto", playsinline: true, tabindex: -1 });
  const picture = h("img", { class: "viewer-keyframe", alt: "", hidden: true });
  const wordsOnly = h("div", { class: "viewer-words", hidden: true });
  const captions = h("div", { class: "viewer-captions" });
  const badge = h("div", { class: "viewer-badge", hidden: true });
  const waiting = h("div", { class: "viewer-waiting", hidden: true }, "Loading…");
  const deck = makeDeck({ stage, video, frame, rate: title.frame_rate });
  stage.rate = title.frame_rate;
  const path = `/titles/${encodeURIComponent(title.title_id)}`;
  let source = null;
  let gone = false;
  let asked = -1;
  let said = null;

  const notice = proxyNotice({ title, onready: () => attach("proxy") });
  const viewer = h(
    "div",
    { class: "viewer", onclick: () => deck.toggle(), ondblclick: () => fullscreen() },
    picture, wordsOnly, video, captions, badge, waiting,
  );
  const el = h("section", { class: "player", "aria-label": "Player" }, viewer, notice.el);
  if (title.width && title.height) viewer.style.setProperty("--ratio", title.width / title.height);

  function attach(kind) {
    source = kind;
    video.src = url(`${path}/${kind === "proxy" ? "proxy" : "media"}`, { v: title.ingest_id });
    video.load();
  }

  /** Takes the file out of the viewer; gives what it was. */
  function detach() {
    const was = source;
    source = null;
    video.removeAttribute("src");
    video.load();
    deck.switchTo("strip");
    return was;
  }

  function refused(was, why) {
    if (was === "direct") notice.need(why);
    else notice.plain(why);
  }

  /** The server may be away, or the session over: no proxy helps against that. */
  async function failed() {
    const [address, code, at] = [video.src, video.error?.code, stage.state.time];
    const was = detach();
    const found = await withheld(address);
    if (gone || source) return;
    if (!found && code !== MediaError.MEDIA_ERR_NETWORK) {
      refused(was, "This browser cannot play this file.");
      return;
    }
    if (stage.state.playing) { // the keyframes went on
      deck.pause();
      deck.seek(at);
    }
    notice.retry(found?.why ?? UNREADABLE, () => {
      if (found?.status === 401) window.dispatchEvent(new CustomEvent("mediafm:signin"));
      else if (was === "proxy") notice.need(); // it may have to be made again
      else attach(was);
    });
  }

  video.addEventListener("loadedmetadata", () => {
    // Browsers play the sound of what they cannot decode, and show nothing.
    if (title.width && !video.videoWidth) refused(detach(), "This browser cannot decode the picture of this file.");
    else deck.switchTo("video");
  });
  video.addEventListener("error", () => {
    if (source) failed();
  });
  video.addEventListener("loadeddata", () => viewer.classList.add("has-frame"));
  video.addEventListener("emptied", () => viewer.classList.remove("has-frame"));
  video.addEventListener("waiting", () => (waiting.hidden = !stage.state.playing));
  for (const name of ["playing", "pause", "emptied"]) {
    video.addEventListener(name, () => (waiting.hidden = true));
  }

  const pictured = title.poster;
  const bare = () => !title.width || !pictured;

  function standIn() {
    const { shot, mode } = stage.state;
    const video = mode === "video" && title.width > 0;
    badge.hidden = video || shot < 0;
    badge.textContent = bare() ? `Shot ${shot}` : `Keyframe of shot ${shot}`;
    wordsOnly.hidden = video || !bare();
    if (!wordsOnly.hidden) return;
    if (asked === shot || shot < 0 || bare()) return;
    // Under a video, too: it shows until the first frame is there.
    if (video && viewer.classList.contains("has-frame")) return;
    asked = shot;
    const next = new Image();
    next.src = keyframeUrl(title, shot);
    next.decode().then(
      () => {
        if (asked !== shot) return;
        picture.src = next.src;
        picture.hidden = false;
      },
      () => (asked = -1),
    );
  }

  function sayCues() {
    const on = finder.at(stage.state.time);
    const text = on.map((cue) => cue.text).join("\n");
    if (text === said) return;
    said = text;
    clear(captions);
    if (text) captions.append(h("span", {}, text));
    wordsOnly.textContent = text;
    wordsOnly.classList.toggle("quiet", !text);
    if (!text) wordsOnly.textContent = title.width ? "No picture" : "Sound only";
  }

  function fullscreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else el.requestFullscreen?.().catch(() => {});
  }

  const stop = [
    stage.on("shot view", standIn),
    stage.on("time", sayCues),
    stage.on("view", () => viewer.classList.toggle("with-captions", stage.state.captions)),
    stage.on("playing", () => {
      if (stage.state.playing && stage.state.mode === "strip") notice.ask();
    }),
  ];
  standIn();
  sayCues();

  return {
    el,
    deck,
    video,
    fullscreen,
    /** Begins to load; after the first paint, since pictures come first. */
    open() {
      if (about.state === "direct") attach("direct");
      else if (about.state === "proxy") notice.need(about.why);
      else notice.plain(about.why || "There is no media.");
    },
    destroy() {
      stop.forEach((off) => off());
      gone = true;
      source = null;
      notice.destroy();
      deck.destroy();
    },
  };
}
