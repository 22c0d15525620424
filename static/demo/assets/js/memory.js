// What this tab remembers of the handshake, so that signing in, which loads a new page, leaves it whole.
// It holds tokens, where the widget's own memory holds them too. Only a page that shows them has to.

const NAME = "acme:wire";
const KEPT = 60; // requests

const memory = {
  entries: [],
  dropped: 0, // how many came before the first of them
  offset: null, // the server's clock minus this one, in ms
  visitorToken: null,
  visitorSpent: false,
  refreshToken: null,
  refreshUntil: 0, // by the server's clock
  presented: null, // the refresh token that was given for the one above
  rotations: 0,
  sessionId: null,
};
const listeners = new Set();

function load() {
  try {
    Object.assign(memory, JSON.parse(sessionStorage.getItem(NAME)));
  } catch { /* the browser blocks it: then only this page is remembered */ }
}

load();
// The page that waited for these is gone.
for (const entry of memory.entries) if (entry.ms === null) Object.assign(entry, { ms: 0, left: true });
// Out of the page cache: the tab went on without this page.
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  load();
  changed();
});

export const recall = () => memory;

/** Calls back at every change from now on. */
export function onChange(act) {
  listeners.add(act);
}

export function changed() {
  const { entries } = memory;
  entries.sort((one, other) => one.at - other.at);
  memory.dropped += entries.splice(0, Math.max(0, entries.length - KEPT)).length;
  try {
    sessionStorage.setItem(NAME, JSON.stringify(memory));
  } catch { /* as above */ }
  for (const act of listeners) act();
}

export function forgetEntries() {
  Object.assign(memory, { entries: [], dropped: 0 });
  changed();
}

/** The server's clock: what ends a token. Before any answer told it, this one's. */
export const serverNow = () => Date.now() + (memory.offset ?? 0);
