/** Numbers as people read them. */

/** So many of something: `1 shot`, `1,200 shots`. */
export const many = (count, one) => `${count.toLocaleString("en")} ${one}${count === 1 ? "" : "s"}`;
