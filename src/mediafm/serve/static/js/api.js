/** What the server answers, or an error that can be shown as it is. */

/** An answer that is none: `message` is one line for people. */
export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.name = "ApiError";
    this.status = status;
  }
}

/** An address of the API; lists repeat their name, what is empty is left out. */
export function url(path, params) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params ?? {})) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "") query.append(name, one);
    }
  }
  const text = query.toString();
  return `/api${path}${text ? `?${text}` : ""}`;
}

async function ask(address, options, again = options?.method !== "POST") {
  let answer;
  try {
    answer = await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The server does not answer. Is it running?");
  }
  if (answer.ok) return answer;
  // A title was erased under the question: the server has looked anew by now.
  if (answer.status === 503 && answer.headers.get("retry-after") === "0" && again) return ask(address, options, false);
  let line = `The server says ${answer.status}`;
  try {
    line = (await answer.json()).error ?? line;
  } catch {
    // No JSON: somebody between us and the server answered; the status has to do.
  }
  if (answer.status === 401) window.dispatchEvent(new CustomEvent("mediafm:signin"));
  throw new ApiError(answer.status, line);
}

const json = (method, body, { signal } = {}) => ({
  method,
  signal,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body ?? {}),
});

export const api = {
  /** JSON of an address. */
  async get(path, params, { signal } = {}) {
    return (await ask(url(path, params), { signal })).json();
  },
  /** Sends JSON; gives the JSON of the answer, `null` where there is none. */
  async post(path, body, options) {
    const answer = await ask(url(path), json("POST", body, options));
    return answer.status === 204 ? null : answer.json();
  },
  /** Sends JSON for a file: `{blob, name, notes}`. */
  async file(path, body, options) {
    const answer = await ask(url(path), json("POST", body, options));
    const called = /filename\*=UTF-8''([^;]+)/.exec(answer.headers.get("content-disposition") ?? "");
    return {
      blob: await answer.blob(),
      name: called ? decodeURIComponent(called[1]) : "export",
      notes: JSON.parse(answer.headers.get("x-mediafm-notes") ?? "[]"),
    };
  },
  /** Bytes of an address. */
  async bytes(path, params, { signal } = {}) {
    return (await ask(url(path, params), { signal })).arrayBuffer();
  },
  async delete(path) {
    await ask(url(path), { method: "DELETE" });
  },
};

const address = (id) => `/titles/${encodeURIComponent(id)}`;

/** The picture that stands for a title. */
export const posterUrl = (title) => url(`${address(title.title_id)}/poster.jpg`, { v: title.ingest_id });

/** The picture of a shot: `of` is a title, or a hit or a clip with what its title is; null where there are none. */
export const keyframeUrl = (of, shot = of.shot) =>
  (of.poster === false ? null : url(`${address(of.title_id)}/keyframes/${shot}.jpg`, { v: of.ingest_id }));

/** A page of a title's sprites. */
export const stripUrl = (id, ingest, page) => url(`${address(id)}/strip/${page}.jpg`, { v: ingest });
