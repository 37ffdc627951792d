/** The address of a title holds the place in it: it can be handed on, come back to, and loaded again. */

const MARKS = { in: "markIn", out: "markOut" };

/** What an address asks for; marks that the title cannot have are left out. */
export function placeOf(query, { duration }) {
  const time = (name) => (/^\d{1,15}$/.test(query.get(name) ?? "") ? Number(query.get(name)) : null);
  let [markIn, markOut] = [time("in"), time("out")];
  if (Math.max(markIn, markOut) > duration || (markIn !== null && markOut !== null && markOut <= markIn)) markIn = markOut = null;
  return { time: time("t") ?? 0, panel: query.get("panel"), markIn, markOut };
}

/** Keeps the address where the page is: its time when it rests, its marks, its panel. */
export function keepPlace(stage) {
  let timer = 0;

  function write() {
    const { state } = stage;
    const query = new URLSearchParams(location.search);
    // While it plays, the time that it started from stays: browsers allow few changes of an address.
    if (!state.playing) query.set("t", String(state.time));
    for (const [name, field] of Object.entries(MARKS)) {
      if (state[field] === null) query.delete(name);
      else query.set(name, String(state[field]));
    }
    query.set("panel", state.panel);
    history.replaceState(history.state, "", `${location.pathname}?${query}`);
  }

  function soon() {
    clearTimeout(timer);
    timer = setTimeout(write, 300);
  }

  const stops = [
    stage.on("time", () => (stage.state.playing ? undefined : soon())),
    stage.on("playing marks panel", soon),
  ];
  return () => {
    clearTimeout(timer);
    stops.forEach((stop) => stop());
  };
}
