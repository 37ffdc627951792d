/** Colours of the map: as many hues as there are groups, equally bright, so that none looks like more. */

const GOLDEN = 137.508;

/** OKLCH as red, green, blue of 0 .. 255 (Ottosson 2020, https://bottosson.github.io/posts/oklab/). */
function oklch(light, chroma, degrees) {
  const a = chroma * Math.cos((degrees * Math.PI) / 180);
  const b = chroma * Math.sin((degrees * Math.PI) / 180);
  const l = (light + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (light - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (light - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const linear = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
  return linear.map((value) => {
    const part = value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055;
    return Math.round(Math.max(0, Math.min(1, part)) * 255);
  });
}

/** Hues of groups, and the grey of those that belong to none, which comes first. */
export function hues(count, dark) {
  const rings = dark ? [[0.78, 0.13], [0.68, 0.16], [0.87, 0.09]] : [[0.58, 0.14], [0.48, 0.13], [0.67, 0.15]];
  // The more groups there are, the more they differ in brightness too.
  const used = count > 8 ? rings : rings.slice(0, 1);
  const grey = dark ? [120, 128, 138] : [140, 144, 150];
  return [grey, ...Array.from({ length: count }, (_, i) => oklch(...used[i % used.length], 70 + i * GOLDEN))];
}

/** `[r, g, b]` as a pixel. */
export const pixel = ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;

/** `[r, g, b]` for a style. */
export const css = ([r, g, b]) => `rgb(${r} ${g} ${b})`;

/** `#rrggbb` as `[r, g, b]`. */
export const parse = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
