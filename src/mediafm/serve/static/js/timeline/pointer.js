/** What pointers do on a timeline: wheel, drag, pinch, click, scrub, and marking with shift. */

const CLICK = 4; // pixels a pointer may move and still click
const DRIFT = 12; // pixels by which a move beyond the edge moves the view, at most
const THUMB = 16; // pixels of a scrollbar's thumb, at least

/**
 * Binds pointers of `view` to a scale. `scrubs(event)` tells whether a drag moves the playhead (on the ruler);
 * `actions` has seek(time), mark(start, end), hover(event or null), and look() for whoever moves the view. Gives
 * whether somebody scrubs.
 */
export function bindPointers(view, scale, actions) {
  const pointers = new Map();
  let drag = null;
  let pinch = null;

  const x = (event) => event.clientX - view.getBoundingClientRect().left;

  function onWheel(event) {
    event.preventDefault();
    const unit = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? scale.width : 1;
    if (event.ctrlKey || event.metaKey) {
      scale.zoom(Math.exp(-event.deltaY * unit * 0.0022), x(event));
    } else {
      const by = Math.abs(event.deltaX) > Math.abs(event.deltaY) ? event.deltaX : event.deltaY;
      scale.pan(by * unit);
    }
    actions.look();
    actions.hover(event);
  }

  function onDown(event) {
    if (event.button > 0) return;
    pointers.set(event.pointerId, x(event));
    view.setPointerCapture(event.pointerId);
    if (pointers.size === 2) {
      const [a, b] = [...pointers.values()];
      pinch = { apart: Math.abs(a - b), middle: (a + b) / 2 };
      drag = null;
      return;
    }
    const how = event.shiftKey ? "mark" : actions.scrubs(event) ? "scrub" : "pan";
    drag = { how, from: x(event), last: x(event), moved: false, time: scale.time(x(event)) };
    if (how === "scrub") actions.seek(drag.time);
  }

  function onMove(event) {
    if (!pointers.has(event.pointerId)) return actions.hover(event);
    const now = x(event);
    pointers.set(event.pointerId, now);
    if (pinch && pointers.size === 2) {
      const [a, b] = [...pointers.values()];
      const [apart, middle] = [Math.max(8, Math.abs(a - b)), (a + b) / 2];
      scale.pan(pinch.middle - middle);
      scale.zoom(apart / Math.max(8, pinch.apart), middle);
      pinch = { apart, middle };
      actions.look();
      return;
    }
    if (!drag) return;
    drag.moved ||= Math.abs(now - drag.from) > CLICK;
    if (drag.how === "scrub") scrub(now);
    else if (drag.moved && drag.how === "pan") {
      scale.pan(drag.last - now);
      actions.look();
    } else if (drag.moved && drag.how === "mark") {
      const [start, end] = [drag.time, scale.time(now)].sort((p, q) => p - q);
      actions.mark(start, end);
    }
    drag.last = now;
    view.classList.toggle("panning", drag.how === "pan" && drag.moved);
    if (drag.how === "pan" && drag.moved) actions.hover(null);
    else actions.hover(event);
  }

  /** Beyond an edge the view follows, little by little: a title's next hour lies a few pixels away. */
  function scrub(at) {
    const inside = Math.max(0, Math.min(at, scale.width));
    scale.pan(Math.max(-DRIFT, Math.min((at - inside) / 4, DRIFT)));
    actions.seek(scale.time(inside));
  }

  function onUp(event) {
    pointers.delete(event.pointerId);
    if (pointers.size < 2) pinch = null;
    if (drag && event.type === "pointerup" && !drag.moved && drag.how !== "scrub") {
      actions.seek(scale.time(drag.from));
    }
    drag = null;
    view.classList.remove("panning");
  }

  view.addEventListener("wheel", onWheel, { passive: false });
  view.addEventListener("pointerdown", onDown);
  view.addEventListener("pointermove", onMove);
  view.addEventListener("pointerup", onUp);
  view.addEventListener("pointercancel", onUp);
  view.addEventListener("pointerleave", () => actions.hover(null));
  return () => drag?.how === "scrub";
}

/** A scrollbar over the whole title: shows what is in sight, and can be dragged; `look` hears of that. */
export function bindScrollbar(bar, thumb, scale, look) {
  let grab = null;

  let wide = 0; // asked for once, since the answer makes the browser lay out the page
  const observer = new ResizeObserver(() => (wide = bar.clientWidth));
  observer.observe(bar);

  const hidden = () => Math.max(0, scale.duration - (scale.end - scale.start));

  /** Where the thumb is: drawn there, and held there. */
  function thumbAt() {
    const length = Math.min(wide, Math.max(THUMB, ((scale.end - scale.start) * wide) / Math.max(1, scale.duration)));
    const room = wide - length;
    return { length, room, left: hidden() > 0 ? (scale.start / hidden()) * room : 0 };
  }

  function goTo(left) {
    const { room } = thumbAt();
    if (room <= 0) return;
    scale.goTo((left / room) * hidden());
    look();
  }

  const x = (event) => event.clientX - bar.getBoundingClientRect().left;

  bar.addEventListener("pointerdown", (event) => {
    if (event.button > 0) return;
    const { left, length } = thumbAt();
    const on = x(event) >= left && x(event) <= left + length;
    grab = on ? x(event) - left : length / 2;
    if (!on) goTo(x(event) - grab);
    bar.setPointerCapture(event.pointerId);
  });
  bar.addEventListener("pointermove", (event) => {
    if (grab !== null) goTo(x(event) - grab);
  });
  for (const name of ["pointerup", "pointercancel"]) bar.addEventListener(name, () => (grab = null));

  /** Puts the thumb where the view is. */
  return function place() {
    const { length, left } = thumbAt();
    thumb.style.width = `${length}px`;
    thumb.style.transform = `translateX(${left}px)`;
    bar.classList.toggle("idle", scale.fitted);
    bar.setAttribute("aria-valuenow", String(hidden() > 0 ? Math.round((100 * scale.start) / hidden()) : 0));
  };
}
