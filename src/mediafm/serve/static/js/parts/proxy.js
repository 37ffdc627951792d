/** What a viewer says where the browser cannot play the file: why, and how far a proxy is. */

import { api } from "../api.js";
import { clear, h } from "../dom.js";

const POLL = 1000;

function lasting(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s left`;
  return `${Math.round(seconds / 60)} min left`;
}

function progressOf(job) {
  if (job.state === "waiting") return "A proxy waits its turn";
  const parts = [`Making a proxy: ${Math.floor(job.done * 100)}%`];
  if (job.rate > 0) parts.push(`${job.rate.toFixed(job.rate < 10 ? 1 : 0)}× real time`);
  const left = lasting(job.left);
  if (left) parts.push(left);
  return parts.join(" · ");
}

/** As the server says it, beginning with a capital. */
const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** A notice over the viewer, and the proxy behind it; `onready` is called once it can be played. */
export function proxyNotice({ title, onready }) {
  const path = `/titles/${encodeURIComponent(title.title_id)}/proxy`;
  const el = h("div", { class: "viewer-notice", hidden: true });
  const standsIn = title.poster ? "Keyframes stand in" : "What is said stands in";
  let timer = 0;
  let turn = 0;
  let gone = false;
  let asked = false;
  let reason = "";
  let bar = null;
  let words = null;

  function show(...children) {
    clear(el);
    bar = words = null;
    el.append(h("div", { class: "viewer-notice-text" }, ...children));
    el.append(
      h("button", {
        type: "button",
        class: "viewer-notice-close",
        "aria-label": "Hide this notice",
        onclick: () => (el.hidden = true),
      }, "×"),
    );
    el.hidden = false;
  }

  function plain(text) {
    show(h("p", {}, sentence(text)), h("p", { class: "quiet" }, `${standsIn}; all keys work.`));
  }

  function offer(text, label) {
    asked = false;
    show(
      h("p", {}, sentence(text)),
      h("p", { class: "quiet" }, `${standsIn} until there is a proxy.`),
      h("button", { type: "button", class: "button", onclick: ask }, label),
    );
  }

  function working(job) {
    if (!bar) {
      const [progress, line] = [h("progress", { max: 1, "aria-label": "Proxy" }), h("p", {})];
      show(h("p", {}, sentence(reason)), progress, line);
      [bar, words] = [progress, line];
    }
    if (job.state === "waiting") bar.removeAttribute("value");
    else bar.value = job.done;
    words.textContent = progressOf(job);
  }

  function take(job) {
    if (job.state === "ready") {
      el.hidden = true;
      onready();
    } else if (job.state === "failed") {
      offer(`The proxy failed: ${job.error ?? "no reason given"}`, "Try again");
    } else if (job.state === "none") {
      offer(reason, "Make a proxy");
    } else {
      asked = true;
      working(job);
      timer = setTimeout(poll, POLL);
    }
  }

  /** Takes an answer, unless something else was asked meanwhile: two chains of questions would never meet. */
  async function hear(question, failing) {
    const mine = ++turn;
    clearTimeout(timer);
    try {
      const job = await question;
      if (!gone && mine === turn) take(job);
    } catch (error) {
      if (!gone && mine === turn) offer(`${failing}: ${error.message}`, "Try again");
    }
  }

  const poll = () => hear(api.get(`${path}/status`), "The proxy cannot be asked about");

  function ask() {
    if (asked) return undefined;
    asked = true;
    working({ state: "waiting" });
    return hear(api.post(path, {}), "No proxy");
  }

  return {
    el,
    /** Says why nothing plays, without a way out. */
    plain,
    /** Says what went wrong that may go right another time. */
    retry(text, again) {
      show(
        h("p", {}, sentence(text)),
        h("p", { class: "quiet" }, `${standsIn} meanwhile.`),
        h("button", { type: "button", class: "button", onclick: () => {
          el.hidden = true;
          again();
        } }, "Try again"),
      );
    },
    /** Says why the file itself does not play, and sees whether there is a proxy. */
    need(why = reason) {
      reason = why;
      return poll();
    },
    /** Playing is asking: makes the proxy, if one is needed and not asked for. */
    ask: () => (reason && !asked ? ask() : undefined),
    destroy() {
      gone = true;
      clearTimeout(timer);
    },
  };
}
