/** Draws points as dots into pixels: one pass over all, no path per dot. */

/** A dot's coverage, 0 .. 255 per pixel, side by side. */
function stamp(radius, strength) {
  const reach = Math.ceil(radius);
  const side = 2 * reach + 1;
  const cover = [];
  for (let y = -reach; y <= reach; y++) {
    for (let x = -reach; x <= reach; x++) {
      const part = Math.max(0, Math.min(1, radius + 0.45 - Math.hypot(x, y)));
      if (part > 0.02) cover.push([x, y, Math.round(part * strength * 255)]);
    }
  }
  return { reach, side, cover };
}

/** Dots take a part of the room that each has at this zoom, within what can be told apart. */
export function dotRadius(count, width, height, zoom, ratio) {
  const room = zoom * Math.sqrt((width * height) / Math.max(count, 1));
  return Math.max(1.05 * ratio, Math.min(room * 0.12, 5.5 * ratio));
}

/**
 * Draws dots.
 * `scene`: {x, y, order, group, colours (Uint32 ABGR per group), ground (ABGR), lit (Uint8 per point, or null), only (a group, or -1)}.
 * `view`: {x, y, k} the middle, and pixels per unit. `count`: how many, the first in the order of drawing.
 */
export function paint(pixels, width, height, scene, view, radius, count) {
  pixels.fill(scene.ground);
  const some = scene.lit !== null || scene.only >= 0;
  if (some) pass(pixels, width, height, scene, view, stamp(radius * 0.85, 0.16), false, count);
  pass(pixels, width, height, scene, view, stamp(some ? radius * 1.15 : radius, 0.85), some ? true : null, count);
}

function pass(pixels, width, height, scene, view, dot, wanted, count) {
  const { x, y, order, group, colours, lit, only } = scene;
  const { reach, cover } = dot;
  const steps = cover.length;
  const shift = new Int32Array(steps);
  const alpha = new Int32Array(steps);
  cover.forEach(([dx, dy, part], i) => {
    shift[i] = dy * width + dx;
    alpha[i] = part;
  });
  for (let place = 0; place < count; place++) {
    const i = order[place];
    if (wanted !== null && ((only >= 0 ? group[i] === only : lit[i] === 1) !== wanted)) continue;
    const px = Math.round((x[i] - view.x) * view.k + width / 2);
    const py = Math.round((y[i] - view.y) * view.k + height / 2);
    if (px < reach || py < reach || px >= width - reach || py >= height - reach) continue;
    const colour = colours[group[i]];
    const r = colour & 255;
    const g = (colour >> 8) & 255;
    const b = (colour >> 16) & 255;
    const base = py * width + px;
    for (let k = 0; k < steps; k++) {
      const at = base + shift[k];
      const a = alpha[k];
      const under = pixels[at];
      const ur = under & 255;
      const ug = (under >> 8) & 255;
      const ub = (under >> 16) & 255;
      pixels[at] = 0xff000000
        | ((ub + (((b - ub) * a) >> 8)) << 16)
        | ((ug + (((g - ug) * a) >> 8)) << 8)
        | (ur + (((r - ur) * a) >> 8));
    }
  }
}
