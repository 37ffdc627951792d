/** What pointers do on a timeline: wheel, drag, pinch, click, scrub, and marking with shift. */

const CLICK = 4; // pixels a pointer may move and still click

/**
 * Binds pointers of `view` to a scale. `scrubs(event)` tells whether a drag moves the playhead (on the ruler);
 * `actions` has seek(time), mark(start, end), hover(event or null).
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
      return;
    }
    if (!drag) return;
    drag.moved ||= Math.abs(now - drag.from) > CLICK;
    if (drag.how === "scrub") actions.seek(scale.time(now));
    else if (drag.moved && drag.how === "pan") scale.pan(drag.last - now);
    else if (drag.moved && drag.how === "mark") {
      const [start, end] = [drag.time, scale.time(now)].sort((p, q) => p - q);
      actions.mark(start, end);
    }
    drag.last = now;
    view.classList.toggle("panning", drag.how === "pan" && drag.moved);
    if (drag.how === "pan" && drag.moved) actions.hover(null);
    else actions.hover(event);
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
}

/** A scrollbar over the whole title: shows what is in sight, and can be dragged. */
export function bindScrollbar(bar, thumb, scale) {
  let grab = null;

  let wide = 0; // asked for once, since the answer makes the browser lay out the page
  const observer = new ResizeObserver(() => (wide = bar.clientWidth));
  observer.observe(bar);
  const per = () => wide / Math.max(1, scale.duration);

  bar.addEventListener("pointerdown", (event) => {
    const at = event.clientX - bar.getBoundingClientRect().left;
    const left = scale.start * per();
    const length = (scale.end - scale.start) * per();
    grab = at >= left && at <= left + length ? at - left : length / 2;
    scale.goTo((at - grab) / per());
    bar.setPointerCapture(event.pointerId);
  });
  bar.addEventListener("pointermove", (event) => {
    if (grab === null) return;
    scale.goTo((event.clientX - bar.getBoundingClientRect().left - grab) / per());
  });
  for (const name of ["pointerup", "pointercancel"]) bar.addEventListener(name, () => (grab = null));

  /** Puts the thumb where the view is. */
  return function place() {
    const length = Math.max(16, (scale.end - scale.start) * per());
    const room = wide - length;
    const hidden = scale.duration - (scale.end - scale.start);
    const left = hidden > 0 ? (scale.start / hidden) * room : 0;
    thumb.style.width = `${length}px`;
    thumb.style.transform = `translateX(${left}px)`;
    bar.classList.toggle("idle", scale.fitted);
    bar.setAttribute("aria-valuenow", String(hidden > 0 ? Math.round((100 * scale.start) / hidden) : 0));
  };
}
