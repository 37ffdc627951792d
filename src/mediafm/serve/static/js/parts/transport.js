/** Controls under the viewer: play, steps, timecode, speed, sound. */

import { h, s } from "../dom.js";
import { store } from "../store.js";
import { toast } from "../toast.js";
import { readTime } from "./timecode.js";

const SPEEDS = [0.25, 0.5, 1, 1.5, 2, 4];

const SHAPES = {
  play: "M7 4.5v15l12.5-7.5z",
  pause: "M6.5 4.5h4v15h-4z M13.5 4.5h4v15h-4z",
  frameBack: "M15 5v14L6 12z M17 5h2v14h-2z",
  frameOn: "M9 5v14l9-7z M5 5h2v14H5z",
  shotBack: "M12 5v14l-8-7z M20 5v14l-8-7z M3 5h1.6v14H3z",
  shotOn: "M12 5v14l8-7z M4 5v14l8-7z M19.4 5H21v14h-1.6z",
  copy: "M9 3h10a2 2 0 0 1 2 2v10h-2V5H9z M5 7h10a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V9a2 2 0 0 1 2-2z",
  loud: "M4 9h4l5-4.5v15L8 15H4z M15.5 8.5a5 5 0 0 1 0 7l1.3 1.3a7 7 0 0 0 0-9.6z",
  mute: "M4 9h4l5-4.5v15L8 15H4z M15 9.4l1.2-1.2 2 2.1 2-2.1 1.2 1.2-2 2.1 2 2.1-1.2 1.2-2-2.1-2 2.1-1.2-1.2 2-2.1z",
  full: "M4 4h6v2H6v4H4z M14 4h6v6h-2V6h-4z M4 14h2v4h4v2H4z M18 14h2v6h-6v-2h4z",
  captions: "M3 6h18v12H3z M6 12.2h5v1.6H6z M13 12.2h5v1.6h-5z",
};

function shape(name) {
  return s("svg", { viewBox: "0 0 24 24", width: 20, height: 20, "aria-hidden": "true", class: "shape" },
    s("path", { d: SHAPES[name], "fill-rule": "evenodd" }));
}

function tool(name, label, onclick, props = {}) {
  return h("button", { type: "button", class: "tool", "aria-label": label, title: label, onclick, ...props }, shape(name));
}

/** Copies without the clipboard's own interface, which pages have by HTTPS and from this machine only. */
function copyOfOld(text) {
  const before = document.activeElement;
  const field = h("textarea", { class: "hidden", readonly: true, tabindex: -1 });
  field.value = text;
  document.body.append(field);
  field.focus({ preventScroll: true });
  field.select();
  try {
    return document.execCommand("copy");
  } finally {
    field.remove();
    before?.focus?.({ preventScroll: true });
  }
}

/** Copies the timecode of where we are. */
export async function copyTimecode({ stage, words }) {
  const text = words.time(stage.state.time);
  let copied = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    copied = copyOfOld(text);
  }
  if (copied) toast(`${text} copied`, { kind: "ok" });
  else toast("The browser does not let the page copy", { kind: "error" });
}

/** The timecode: shows where we are, and goes where one types. */
function timecodeField({ title, stage, words, deck }) {
  const field = h("input", {
    class: "timecode", type: "text", inputmode: "text", autocomplete: "off", spellcheck: "false",
    "aria-label": "Timecode: type a time and press Enter to go there", title: "Click and type to jump (G)",
  });
  let typing = false;

  function show() {
    if (!typing) field.value = words.time(stage.state.time);
  }

  field.addEventListener("focus", () => {
    typing = true;
    field.select();
  });
  field.addEventListener("blur", () => {
    typing = false;
    field.removeAttribute("aria-invalid");
    show();
  });
  field.addEventListener("input", () => field.removeAttribute("aria-invalid"));
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") field.blur();
    if (event.key !== "Enter") return;
    const { starts, duration, state: { time: now } } = stage;
    const time = readTime(field.value, { rate: title.frame_rate, start: title.timecode, now, starts, duration });
    if (time === null || time > stage.duration) {
      field.setAttribute("aria-invalid", "true");
      toast(time === null ? "No time: type 01:02:03:04, 1:02.5, +10, or #12 for a shot" : "That is after the end",
        { kind: "error" });
      return;
    }
    deck.seek(time);
    field.blur();
  });
  stage.on("time", show);
  show();
  return field;
}

/** The row of controls; `player` has deck, video and fullscreen. */
export function makeTransport(about) {
  const { stage, deck, player, words, title } = about;
  const { video } = player;
  const sound = store("sound", { volume: 1, muted: false });
  const play = tool("play", "Play (Space)", () => deck.toggle(), { class: "tool play" });
  const field = timecodeField(about);
  const shot = h("span", { class: "transport-shot" });
  const speed = h("select", { class: "speed", "aria-label": "Speed" },
    SPEEDS.map((one) => h("option", { value: String(one) }, `${one}×`)));
  const mute = tool("loud", "Mute", () => sound.set({ ...sound.get(), muted: !sound.get().muted }));
  const volume = h("input", { class: "volume", type: "range", min: 0, max: 1, step: 0.05, "aria-label": "Volume" });
  const captions = tool("captions", "Captions", () => stage.set({ captions: !stage.state.captions }),
    { "aria-pressed": "false" });

  let pointed = false;
  speed.addEventListener("pointerdown", () => { pointed = true; });
  speed.addEventListener("keydown", () => { pointed = false; });
  speed.addEventListener("change", () => {
    deck.setSpeed(Number(speed.value));
    if (pointed) speed.blur(); // arrow keys belong to the timeline again; who came by keyboard stays
  });
  volume.addEventListener("input", () => sound.set({ volume: Number(volume.value), muted: false }));

  const el = h(
    "div",
    { class: "transport", role: "group", "aria-label": "Transport" },
    h("div", { class: "transport-steps" },
      tool("shotBack", "Previous shot (Up)", () => deck.stepShot(-1)),
      tool("frameBack", "One frame back (Left)", () => deck.step(-1)),
      play,
      tool("frameOn", "One frame on (Right)", () => deck.step(1)),
      tool("shotOn", "Next shot (Down)", () => deck.stepShot(1))),
    h("div", { class: "transport-time" },
      field,
      tool("copy", "Copy timecode (C)", () => copyTimecode(about)),
      h("span", { class: "transport-total" }, `/ ${words.short(stage.duration)}`)),
    shot,
    h("div", { class: "transport-more" },
      speed, mute, volume, timelineHas(about) ? captions : null,
      title.width ? tool("full", "Full screen", () => player.fullscreen()) : null),
  );

  function onPlaying() {
    const { playing, speed: now } = stage.state;
    play.replaceChildren(shape(playing ? "pause" : "play"));
    play.setAttribute("aria-label", playing ? "Pause (Space)" : "Play (Space)");
    play.title = playing ? "Pause (Space)" : "Play (Space)";
    const value = String(now);
    const odd = speed.querySelector("[data-odd]");
    odd?.remove();
    if (!SPEEDS.includes(now)) speed.append(h("option", { value, "data-odd": "" }, `${now}×`));
    speed.value = value;
  }

  function onSound() {
    const { volume: level = 1, muted = false } = sound.get() ?? {};
    video.volume = Math.max(0, Math.min(1, Number(level) || 0));
    video.muted = Boolean(muted);
    volume.value = muted ? 0 : level;
    mute.replaceChildren(shape(muted ? "mute" : "loud"));
    mute.setAttribute("aria-label", muted ? "Unmute" : "Mute");
  }

  function onShot() {
    shot.textContent = stage.state.shot < 0 ? "" : `Shot ${stage.state.shot}`;
  }

  const offSound = sound.subscribe(onSound);
  stage.on("playing", onPlaying);
  stage.on("shot", onShot);
  stage.on("view", () => captions.setAttribute("aria-pressed", String(stage.state.captions)));
  onPlaying();
  onSound();
  onShot();
  return { el, field, destroy: () => offSound?.() };
}

const timelineHas = ({ cues }) => cues.length > 0;
