/** What this browser remembers: kept between visits, the same in all tabs. */

const known = new Map();

/** A value under a name; broken or foreign values count as none. */
export function store(name, initial) {
  if (known.has(name)) return known.get(name);
  const key = `mediafm.${name}`;
  const hearers = new Set();
  let value = read(key, initial);
  const tell = () => hearers.forEach((fn) => fn(value));
  const made = {
    get: () => value,
    set(next) {
      value = next;
      try {
        localStorage.setItem(key, JSON.stringify(next));
      } catch {
        // Private windows and full disks: it lasts as long as the page does.
      }
      tell();
    },
    subscribe(fn) {
      hearers.add(fn);
      return () => hearers.delete(fn);
    },
  };
  window.addEventListener("storage", (event) => {
    if (event.key !== key) return;
    value = read(key, initial);
    tell();
  });
  known.set(name, made);
  return made;
}

function read(key, initial) {
  try {
    const held = JSON.parse(localStorage.getItem(key));
    const alike = held !== null && typeof held === typeof initial && Array.isArray(held) === Array.isArray(initial);
    return alike || (initial === null && held !== null) ? held : initial;
  } catch {
    return initial;
  }
}
