/** Points on a plane, sorted into cells, so that those near a place are found without looking at all. */

const CELLS = 256;

const cellOf = (value) => Math.max(0, Math.min(CELLS - 1, Math.floor(((value + 1) / 2) * CELLS)));

/** Sorts points (`x`, `y` within -1 .. 1) into cells. */
export function makeGrid(x, y) {
  const n = x.length;
  const start = new Uint32Array(CELLS * CELLS + 1);
  const cells = new Uint16Array(n);
  for (let i = 0; i < n; i++) {
    cells[i] = cellOf(y[i]) * CELLS + cellOf(x[i]);
    start[cells[i] + 1]++;
  }
  for (let c = 0; c < CELLS * CELLS; c++) start[c + 1] += start[c];
  const next = start.slice();
  const points = new Uint32Array(n);
  for (let i = 0; i < n; i++) points[next[cells[i]]++] = i;

  /** Calls with every point in a box. */
  function within(x0, y0, x1, y1, visit) {
    const [left, right, top, bottom] = [cellOf(x0), cellOf(x1), cellOf(y0), cellOf(y1)];
    for (let row = top; row <= bottom; row++) {
      const end = start[row * CELLS + right + 1];
      for (let place = start[row * CELLS + left]; place < end; place++) {
        const i = points[place];
        if (x[i] >= x0 && x[i] <= x1 && y[i] >= y0 && y[i] <= y1) visit(i);
      }
    }
  }

  /** The point nearest to a place, -1 where none is that near. */
  function nearest(px, py, reach) {
    let best = -1;
    let least = reach * reach;
    within(px - reach, py - reach, px + reach, py + reach, (i) => {
      const gap = (x[i] - px) ** 2 + (y[i] - py) ** 2;
      if (gap <= least) {
        least = gap;
        best = i;
      }
    });
    return best;
  }

  /** Points inside a polygon `[x, y, x, y, ..]`, in order. */
  function inside(polygon) {
    let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity];
    for (let k = 0; k < polygon.length; k += 2) {
      x0 = Math.min(x0, polygon[k]);
      x1 = Math.max(x1, polygon[k]);
      y0 = Math.min(y0, polygon[k + 1]);
      y1 = Math.max(y1, polygon[k + 1]);
    }
    const found = [];
    within(x0, y0, x1, y1, (i) => {
      let odd = false;
      for (let k = 0, before = polygon.length - 2; k < polygon.length; before = k, k += 2) {
        const [ax, ay, bx, by] = [polygon[k], polygon[k + 1], polygon[before], polygon[before + 1]];
        if (ay > y[i] !== by > y[i] && x[i] < ((bx - ax) * (y[i] - ay)) / (by - ay) + ax) odd = !odd;
      }
      if (odd) found.push(i);
    });
    return Uint32Array.from(found).sort();
  }

  return { within, nearest, inside };
}
