/** What points are coloured by: their title, its series, or what a probe says. */

const MOST = 254;

/** `{names, sizes, group}` by title or series; group 0 is none. More groups than colours share the last. */
function byTitle(about, nameOf) {
  const sizes = new Map();
  for (const title of about.titles) {
    const name = nameOf(title);
    if (name) sizes.set(name.id, { ...name, size: (sizes.get(name.id)?.size ?? 0) + title.shots });
  }
  const named = [...sizes.values()].slice(0, MOST);
  const numbers = new Map(named.map(({ id }, i) => [id, i + 1]));
  const group = new Uint8Array(about.points);
  for (const title of about.titles) {
    const number = numbers.get(nameOf(title)?.id) ?? 0;
    group.fill(number, title.first, title.first + title.shots);
  }
  return { names: named.map(({ name }) => name), group };
}

/** Groups of a way to colour: `title`, `series`, or `probe:NAME`. */
export async function groupsOf(way, data) {
  const about = data.about();
  if (way === "series") return counted(byTitle(about, ({ series_id: id }) => (id ? { id, name: id } : null)), "no series");
  if (way.startsWith("probe:")) return counted(await data.classes(way.slice(6)), "none likely");
  return counted(byTitle(about, ({ title_id: id, title: name }) => ({ id, name })), "other titles");
}

function counted({ names, group }, rest) {
  const sizes = new Uint32Array(names.length + 1);
  for (let i = 0; i < group.length; i++) sizes[group[i]]++;
  return { names: [rest, ...names], sizes, group };
}
