// Asking the server: JSON in, errors in the server's own words, changes as they happen.

export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

export async function ask(path, options = {}) {
  const answer = await fetch(path, { ...options, headers: { Accept: "application/json", ...options.headers } });
  if (answer.status === 401) location.assign("/open");
  if (!answer.ok) {
    const told = await answer.json().catch(() => ({ detail: `the server answered ${answer.status}` }));
    throw new Refused(answer.status, told.detail);
  }
  return answer.json();
}

export const send = (path, body) =>
  ask(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });

export const run = (id) => `/api/v1/runs/${encodeURIComponent(id)}`;
export const drawn = (id) => `/page/runs/${encodeURIComponent(id)}`;

export const query = (values) => {
  const given = Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return given.length ? `?${new URLSearchParams(given)}` : "";
};

const EVERYTHING = ["journal", "process", "log"];
const AGAIN_MS = 2000;

// Call `changed(parts, run)` when something of a run has changed; at most once in `calmMs`, and never
// twice at a time. `connected(yes, why)` hears whether what is shown is that of now. Returns what ends it.
export function follow(id, changed, connected, calmMs = 700) {
  let waiting = new Map();
  let busy = false;
  let over = false;
  let source = null;
  const tell = async () => {
    if (busy || over || !waiting.size) return;
    busy = true;
    const now = waiting;
    waiting = new Map();
    try {
      for (const [name, parts] of now) await changed(parts, name);
      if (!over) connected(true);
    } catch (error) {
      if (!over) connected(false, error.message);
    } finally {
      setTimeout(() => { busy = false; tell(); }, calmMs);
    }
  };
  const note = (name, parts) => {
    waiting.set(name, new Set([...(waiting.get(name) ?? []), ...parts]));
    tell();
  };
  const open = () => {
    if (over) return;
    source = new EventSource(`/api/v1/changes${query({ run: id })}`);
    source.addEventListener("run", (event) => {
      const told = JSON.parse(event.data);
      note(told.run, told.changed);
    });
    source.addEventListener("all", () => note(id, EVERYTHING));
    source.addEventListener("error", () => {
      if (source.readyState !== EventSource.CLOSED) {
        connected(false);
        return;
      }
      // the line was refused, so the browser lets it be: asking says why, and it is tried again
      note(id, EVERYTHING);
      setTimeout(open, AGAIN_MS);
    });
  };
  open();
  return () => {
    over = true;
    source.close();
  };
}
