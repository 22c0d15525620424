// Notes each request as it happens. It comes before the widget's script and stands before `fetch`:
// it hands on the very request and the very answer, and reads a clone.
import { changed, recall } from "./memory.js";

const page = document.body.dataset;
const apiOrigin = new URL(page.apiUrl).origin;
const connectOrigin = page.connectUrl ? new URL(page.connectUrl).origin : null;
const fetchBefore = window.fetch.bind(window);
const reading = new Set();
let cause = null;

// What a request may carry to another origin without asking first (the Fetch standard, 2.2.2).
const SAFE_HEADERS = new Set(["accept", "accept-language", "content-language", "content-type"]);
const SAFE_TYPES = /^(text\/plain|application\/x-www-form-urlencoded|multipart\/form-data)\b/i;

window.fetch = (input, init) => {
  const answer = fetchBefore(input, init);
  try {
    note(input, init, answer);
  } catch { /* an address that isn't one, say: `fetch` tells whoever asked */ }
  return answer;
};

/** A request of the inspector's own, one of a trial or its control: what it gets is nobody's session. */
export function attempt(url, init, why = "trial") {
  cause = why;
  try {
    return window.fetch(url, init);
  } finally {
    cause = null;
  }
}

/** Adds a request that somebody else tells of. */
export function add(entry) {
  const whole = { ms: null, status: null, code: null, detail: null, cause: null, ...entry };
  recall().entries.push(whole);
  changed();
  return whole;
}

/** Once every answer so far has been read. */
export async function settled() {
  while (reading.size) await Promise.all(reading);
}

function note(input, init = {}, answer) {
  const url = new URL(input.url ?? input, location.href);
  const to = { [location.origin]: "backend", [apiOrigin]: "api", [connectOrigin]: "agent" }[url.origin];
  if (!to) return;
  const headers = new Headers(init.headers ?? input.headers);
  const sent = readBody(init.body);
  const entry = add({
    from: "page",
    to,
    method: (init.method ?? input.method ?? "GET").toUpperCase(),
    path: url.pathname,
    at: Date.now(),
    preflight: preflight(url, headers, init.body),
    cause,
    joins: Boolean(sent.guest_token),
  });
  const began = performance.now();
  const read = answer.then((response) => finish(entry, sent, began, response.clone()), (error) => {
    Object.assign(entry, { ms: performance.now() - began, status: 0, detail: error.message });
    changed();
  }).catch(() => {}).finally(() => reading.delete(read));
  reading.add(read);
}

function readBody(body) {
  try {
    return Object(JSON.parse(body));
  } catch {
    return {};
  }
}

/** A page isn't shown its preflights, but what causes one is written down: so this is told, not seen. */
function preflight(url, headers, body) {
  if (url.origin === location.origin) return "same-origin";
  const type = headers.get("Content-Type") ?? (typeof body === "string" ? "text/plain" : null);
  const simple = [...headers.keys()].every((name) => SAFE_HEADERS.has(name));
  return simple && (!type || SAFE_TYPES.test(type)) ? "none" : "asked";
}

async function finish(entry, sent, began, response) {
  const answered = Date.now();
  entry.ms = performance.now() - began;
  entry.status = response.status;
  const told = response.headers.get("X-Demo-Call");
  if (told) addCallOfBackend(entry, JSON.parse(told));
  const text = await response.text();
  const body = readBody(text);
  if (!response.ok) {
    entry.code = body.code || body.error || response.headers.get("X-Error-Code");
    entry.detail = words(body) || (/^text\/plain\b/.test(response.headers.get("Content-Type")) ? text : null);
  }
  if (body.server_time) recall().offset = body.server_time * 1000 - (entry.at + answered) / 2;
  if (response.ok && !entry.cause) learn(sent, body);
  changed();
}

/** What a refusal says in JSON; otherwise it is a plain sentence. */
const words = ({ title, detail }) => [...new Set([title, detail])].filter(Boolean).join(": ");

/** The backend's clock needn't be ours: its call lay within the page's, that much is certain. */
function addCallOfBackend(entry, { method, path, authorization, status, code, ms }) {
  const at = entry.at + Math.max(0, entry.ms - ms) / 2;
  add({ from: "backend", to: "api", method, path, at, ms, status, code, authorization, preflight: "server",
    cause: entry.cause });
}

function learn(sent, body) {
  const memory = recall();
  if (body.user_token) Object.assign(memory, { visitorToken: body.user_token, visitorSpent: false });
  if (sent.token && sent.token === memory.visitorToken) memory.visitorSpent = true;
  if (!body.refresh_token) return;
  const same = body.session_id === memory.sessionId;
  Object.assign(memory, {
    presented: sent.refresh_token ?? null,
    refreshToken: body.refresh_token,
    refreshUntil: (body.server_time + body.refresh_expires_in) * 1000,
    rotations: same ? memory.rotations + 1 : 0,
    sessionId: body.session_id,
  });
}

function noteThisPage() {
  if (!page.customer) recall().visitorToken = null; // signed out: it was somebody else's
  const [loading] = performance.getEntriesByType("navigation");
  if (!loading) return;
  add({ from: "page", to: "backend", method: "GET", path: location.pathname, at: performance.timeOrigin,
    ms: loading.responseEnd, status: loading.responseStatus || 200, preflight: "same-origin",
    kind: loading.redirectCount ? "load-after-form" : "load" });
}

function noteScript({ name, initiatorType, startTime, duration }) {
  if (initiatorType !== "script" || new URL(name).origin !== apiOrigin) return;
  add({ from: "page", to: "api", method: "GET", path: new URL(name).pathname, preflight: "none",
    at: performance.timeOrigin + startTime, ms: duration, status: null });
}

noteThisPage();
new PerformanceObserver((list) => list.getEntries().forEach(noteScript))
  .observe({ type: "resource", buffered: true });
