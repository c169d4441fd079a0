// Calls of the gateway's API: they carry the caller's key, throw refusals, and resume event streams.

const KEY = "darwin.key";
const LONGEST_PAUSE_MS = 5000;

export const key = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (text) => sessionStorage.setItem(KEY, text),
  forget: () => sessionStorage.removeItem(KEY),
};

/** A refusal of the gateway: its message, its HTTP status, and the offending field if the gateway named one. */
export class Refused extends Error {
  constructor(message, status, param) {
    super(message);
    Object.assign(this, { status, param });
  }
}

async function send(path, options = {}) {
  return sendTo(`v1/${path}`, options);
}

async function sendTo(address, { method = "GET", body, headers = {}, signal } = {}) {
  const all = { ...headers };
  if (key.get()) all.authorization = `Bearer ${key.get()}`;
  if (body) all["content-type"] = "application/json";
  let response;
  try {
    response = await fetch(address, { method, headers: all, body: body && JSON.stringify(body), signal, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("The gateway does not answer.", 0);
  }
  if (response.ok) return response;
  const { error } = await response.json().catch(() => ({}));
  throw new Refused(error?.message ?? `HTTP ${response.status}`, response.status, error?.param);
}

const json = async (...call) => (await send(...call)).json();
const one = (id, rest = "") => `evolutions/${encodeURIComponent(id)}${rest}`;

export const viewer = () => json("viewer");
/** The names of the methods, in the order of menus; the model that embeds has none. */
export const methods = async () =>
  [...new Set((await json("models")).data.map((model) => model.method))].filter((method) => method !== null);
/** The settings of a search by name, each as JSON Schema: what they are called and may be. */
export const settings = async () => (await (await sendTo("openapi.json", {})).json()).components.schemas.SearchSettings.properties;
const profile = (name, rest, owner) =>
  `profiles/${encodeURIComponent(name)}${rest}?${new URLSearchParams(owner === null ? {} : { tenant: owner })}`;

/** Reward profiles of an owner: a tenant, "" for those that all may use, null for whichever the key is for. */
export const profiles = (owner, signal) => json(`profiles?${new URLSearchParams(owner === null ? {} : { tenant: owner })}`, { signal });
export const readProfile = (name, owner, signal) => json(profile(name, "", owner), { signal });
/** The newest versions, up to a hundred. */
export const versions = (name, owner, signal) => json(`${profile(name, "/versions", owner)}&limit=100`, { signal });
export const pushProfile = (name, owner, body) => json(profile(name, "", owner), { method: "PUT", body });
/** Changes what a name means: `step` is "promote" or "rollback". */
export const changeProfile = (name, owner, step, body) => json(profile(name, `/${step}`, owner), { method: "POST", body });
export const tryProfile = (name, owner, body, signal) => json(profile(name, "/try", owner), { method: "POST", body, signal });
export const list = (params, signal) => json(`evolutions?${new URLSearchParams(params)}`, { signal });
export const recording = (id, signal) => json(one(id, "/recording"), { signal });
export const diff = (id, signal) => json(one(id, "/diff"), { signal });
export const start = (body) => json("evolutions", { method: "POST", body });
export const credit = (signal) => json("credit", { signal });
export const cancel = (id) => json(one(id), { method: "DELETE" });

/** Saves a response of the gateway as a file; returns false where the response is empty. */
export async function download(id, rest, name) {
  const blob = await (await send(one(id, rest))).blob();
  if (!blob.size) return false;
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  return true;
}

/**
 * Calls `onevent` with every event of an evolution, each once, until the evolution has ended. Calls `onlost` whenever the
 * connection is lost, before it is made again.
 */
export async function follow(id, onevent, onlost, signal) {
  let last = "";
  let pause = 250;
  while (!signal.aborted) {
    try {
      const response = await send(one(id, "/events"), { headers: last ? { "last-event-id": last } : {}, signal });
      for await (const message of serverSent(response.body)) {
        const event = JSON.parse(message.data);
        [last, pause] = [message.id, 250];
        onevent(event);
        if (event.type === "evolution.ended") return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error.status >= 400 && error.status < 500 && error.status !== 429) throw error;
    }
    onlost();
    await new Promise((resume) => setTimeout(resume, pause));
    pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
  }
}

async function* serverSent(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const fields = Object.fromEntries(block.split("\n").map((line) => line.match(/^(\w*): ?(.*)$/s)?.slice(1) ?? ["", line]));
      if (fields.data) yield fields;
    }
  }
}
