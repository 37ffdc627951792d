/**
 * Moves the time of a stage: by a video where there is one, else by a clock, so that all keys work on a
 * filmstrip, too. Backwards it steps, since browsers play forwards only.
 */

import { frameAt, frameTime } from "../time.js";

const TOP_SPEED = 8;
const LONGEST_TICK = 250; // ms: a hidden page wakes up where it was, not minutes later

const LEAD = 1000; // us: a browser rounds times, and would show the frame before

/** Drives `stage` and `video`; `frame` is the length of a frame in microseconds, a guess where there is no `rate`. */
export function makeDeck({ stage, video, frame, rate }) {
  let loop = 0;
  let before = 0;
  let until = null;
  let wanted = null;
  let shown = null;
  let watching = 0;
  let chosen = 1; // the speed to play at; J, K and L do not touch it
  let destroyed = false;

  const byVideo = () => stage.state.mode === "video" && stage.state.speed > 0;
  // The middle of the frame, where one knows it.
  const within = (time) => (rate ? (frameAt(time, rate) + 0.5) * frame : Math.min(time + LEAD, stage.duration));

  /** Shows a time on the video; while it still seeks, only the last wish counts. */
  function follow(time) {
    if (stage.state.mode !== "video") return;
    if (video.seeking) {
      wanted = time;
      return;
    }
    wanted = null;
    video.currentTime = within(time) / 1e6;
  }

  function seek(time) {
    until = null;
    shown = null;
    stage.set({ time });
    follow(stage.state.time);
  }

  function watchFrames() {
    if (!video.requestVideoFrameCallback || watching) return;
    const seen = (_, about) => {
      shown = about.mediaTime * 1e6;
      watching = destroyed ? 0 : video.requestVideoFrameCallback(seen);
    };
    watching = video.requestVideoFrameCallback(seen);
  }

  function tick(now) {
    const { playing, speed, time } = stage.state;
    if (!playing || destroyed) return;
    const passed = Math.min(now - before, LONGEST_TICK) * 1000;
    before = now;
    if (byVideo()) {
      // A seek that is under way still shows the old place.
      if (!video.seeking && video.readyState > 1) stage.set({ time: video.currentTime * 1e6 });
    } else {
      stage.set({ time: time + passed * speed });
      follow(stage.state.time);
    }
    const at = stage.state.time;
    if (until !== null && speed > 0 && at >= until) {
      const end = until;
      pause();
      seek(end - (rate ? frame : 2 * LEAD));
    } else if ((speed < 0 && at <= 0) || (speed > 0 && !byVideo() && at >= stage.last)) {
      pause();
    } else {
      loop = requestAnimationFrame(tick);
    }
  }

  function run() {
    cancelAnimationFrame(loop);
    before = performance.now();
    if (byVideo()) {
      watchFrames();
      video.playbackRate = stage.state.speed;
      video.play().catch((error) => {
        if (error.name === "NotAllowedError") pause();
      });
    } else {
      video.pause();
    }
    loop = requestAnimationFrame(tick);
  }

  function play(speed = chosen) {
    if (speed > 0 && stage.state.time >= stage.last - frame / 4) seek(0);
    stage.set({ playing: true, speed });
    run();
  }

  function pause() {
    cancelAnimationFrame(loop);
    const wasVideo = byVideo() && stage.state.playing;
    until = null;
    stage.set({ playing: false, speed: chosen });
    video.pause();
    // The picture on screen decides where we are, not the clock that ran on.
    if (wasVideo) stage.set({ time: shown ?? video.currentTime * 1e6 });
  }

  /** Media keys, a headset, a telephone call: the browser itself pauses and plays. */
  function heed() {
    const { playing, speed, mode } = stage.state;
    if (mode !== "video" || video.ended || video.seeking || destroyed) return;
    if (video.paused && playing && byVideo()) pause();
    else if (!video.paused && !(playing && speed > 0)) play();
  }

  video.addEventListener("pause", heed);
  video.addEventListener("play", heed);
  video.addEventListener("seeked", () => {
    if (wanted !== null) follow(wanted);
    else heed();
  });
  video.addEventListener("ended", () => {
    if (!byVideo() || !stage.state.playing) return;
    pause();
    stage.set({ time: stage.duration });
  });

  return {
    play,
    pause,
    seek,
    toggle: () => (stage.state.playing ? pause() : play()),
    /** Goes some frames on, or back. */
    step(frames) {
      if (stage.state.playing) pause();
      const { time } = stage.state;
      seek(rate ? frameTime(frameAt(time, rate) + frames, rate) : time + frames * frame);
    },
    /** Goes some microseconds on, or back. */
    skip(by) {
      const { playing, speed } = stage.state;
      seek(stage.state.time + by);
      if (playing && speed > 0) run();
    },
    /** Goes to the start of a shot: of the next, or of this one and then the one before. */
    stepShot(by) {
      const { shot, time } = stage.state;
      if (shot < 0) return;
      const inside = time - stage.starts[shot] > frame / 2;
      const target = by < 0 && inside ? shot : shot + by;
      if (target < stage.starts.length) seek(stage.starts[Math.max(0, target)]);
    },
    /** Faster in a direction (1 or -1) each time; the other direction starts anew. */
    shuttle(direction) {
      const { playing, speed } = stage.state;
      const same = playing && Math.sign(speed) === direction;
      const next = same ? Math.min(TOP_SPEED, Math.max(1, Math.abs(speed)) * 2) : 1;
      play(next * direction);
    },
    setSpeed(speed) {
      chosen = speed;
      stage.set({ speed });
      if (stage.state.playing) run();
    },
    /** Plays a stretch and stops at its last frame. */
    playSpan(span) {
      seek(span.start);
      play();
      until = span.end;
    },
    /** The video is ready, or gone: goes on from where we are. */
    switchTo(mode) {
      stage.set({ mode });
      follow(stage.state.time);
      if (stage.state.playing) run();
    },
    destroy() {
      destroyed = true;
      cancelAnimationFrame(loop);
      video.pause();
      video.removeAttribute("src");
      video.load();
    },
  };
}
