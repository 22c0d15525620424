// One request, and why it was refused.

const TIMEOUT = 10_000; // ms; leaves time to ask again within the server's 30 s grace

// The session is over, but a new one may begin.
const ENDED = /^(invalid|expired|reused)_refresh_token|^revoked_session/;
// The sign-in failed, but the visitor may go on as a guest.
const NOT_SIGNED_IN = /^(invalid|expired|used|user)_token/;


class Refusal extends Error {
  constructor(code, detail, status = 0, retryable = false, retryAfter = 0) {
    super(detail || code);
    Object.assign(this, { code, detail, status, retryable, retryAfter });
  }
}

/** What somebody else's code threw: the console gets to see it, the visitor doesn't. */
const failure = (code, error) => Object.assign(new Refusal(code), { note: String(error) });

/** Simple requests, so that no preflight comes before them: safelisted headers, text/plain bodies. */
async function request(url, options) {
  const response = await fetch(url, {
    credentials: "omit",
    referrerPolicy: "strict-origin-when-cross-origin",
    signal: AbortSignal.timeout(TIMEOUT),
    ...options,
    headers: { Accept: "application/problem+json", ...options?.headers },
  }).catch(() => { throw new Refusal("network_error", "", 0, true); });
  const { status, headers } = response;
  const text = await response.text().catch(() => "");
  let answer = {};
  try {
    answer = Object(JSON.parse(text));
  } catch { // words, unless it is a proxy's page
    if (/^text\/plain\b/i.test(headers.get("Content-Type"))) answer.detail = text.slice(0, 300);
  }
  if (response.ok) return answer;
  throw new Refusal(
    answer.code || headers.get("X-Error-Code") || `http_${status}`,
    [answer.title, answer.detail].filter(Boolean).join(": "),
    status,
    (status === 429 || status >= 500) && answer.retryable !== false,
    Number(headers.get("Retry-After")) * 1000 || 0,
  );
}
