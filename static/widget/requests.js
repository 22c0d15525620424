// One request, and why it was refused.

const TIMEOUT = 10_000; // ms; leaves time to ask again within the server's 30 s grace

// The sign-in failed, but the visitor may go on as a guest.
const NOT_SIGNED_IN = /^[a-z]+_token/;

const refusal = (code, detail = "", more) =>
  Object.assign(new Error(detail || code), { code, detail, status: 0, ...more });

/** Passes within a moment, perhaps: no network, or a hotel's sign-in page in the place of an answer. */
const hitch = (code, detail) => refusal(code, detail, { retryable: true });

/** Simple requests, so that no preflight comes before them: no headers of their own, text/plain bodies. */
async function request(url, options) {
  const response = await fetch(url, {
    credentials: "omit",
    referrerPolicy: "origin",
    signal: AbortSignal.timeout(TIMEOUT),
    ...options,
  }).catch(() => { throw hitch("network_error", `No answer from ${url}`); });
  const { ok, status, headers } = response;
  if (ok) return Object(await response.json().catch(ignore));
  const words = await response.text().catch(String); // for the console: it may be a proxy's page
  throw refusal(headers.get("X-Error-Code") || `http_${status}`, words.slice(0, 300) || url, {
    status,
    retryable: status === 408 || status === 429 || status >= 500,
    retryAfter: headers.get("Retry-After") * 1000,
  });
}
