// What the inspector says: of a request, of a claim. Short, and true.

export const LANES = { elsewhere: "another site", page: "this page", backend: "the shop’s backend",
  api: "the sign-in API", agent: "the agent" };

export const PREFLIGHTS = {
  none: "no preflight: a simple request",
  "same-origin": "no preflight: the same site",
  server: "no preflight: no browser",
  asked: "preflight: the browser asks first (OPTIONS), once in ten minutes",
};

/** Why the inspector made a request itself. */
export const CAUSES = { trial: "your attack", control: "to compare" };

const REQUESTS = {
  load: "The page itself. Its HTML carries the shop’s public key, and no secret.",
  "load-after-form": "The shop’s form was sent, and its answer led to this new page.",
  "/widget/v1.js": "The widget, one file. The browser may have kept it from last time.",
  "/api/v1/widget/config": "How the widget looks here: name, colors, greeting. No token yet.",
  "/api/v1/widget/auth/guest": "The public key, and the page’s origin, which the browser writes and no page can forge. It’s on the key’s list, so you are a guest.",
  "/widget-token": "The page asks its own shop for a visitor token. The shop knows you by its own cookie.",
  "/api/v1/widget/auth/user-token": "The shop vouches for you, with its secret key. This page never sees that key.",
  "/api/v1/widget/auth/exchange": "The visitor token is spent for a session in your name.",
  "/api/v1/widget/auth/refresh": "The refresh token is spent for the next pair. The session stays the same.",
  "/api/v1/widget/auth/logout": "The session ends: its refresh token is worth nothing from now on.",
  "/connect": "Your message, with the session token. The agent checks the signature itself, by the API’s public keys.",
  "/edit": "The demo’s own: one line of its copy of the tenants’ file is changed.",
};

const REFUSALS = {
  not_signed_in: "The shop knows nobody here, so it asks the API for nothing.",
  unreachable: "The shop’s backend couldn’t reach the API.",
};

/** What keeps a trial from showing anything, by the code that came, and what to do. */
const HINDRANCES = {
  not_signed_in: "Nobody is signed in, so there is no visitor token to steal. Sign in to the shop first.",
  network_error: "The demo’s servers can’t be reached. Are they still running?",
  unreachable: "The shop’s backend can’t reach the API. Is the demo still running?",
  client_key_disabled: "The key is switched off, so the API refuses whatever is asked with it. Switch it on below, and try again.",
  rate_limited: "That was too often, so the API asks for a pause. Try again in a minute.",
};

export const hindrance = (code) => HINDRANCES[code];

/** Says what a request is for, and why it was refused where it was. */
export function sentence({ kind, path, joins, detail, status, left, code }) {
  if (left) return "The page was left before the answer came.";
  if (status === 0) return "It couldn’t be reached.";
  if (detail) return `${detail[0].toUpperCase()}${detail.slice(1)}`.replace(/[^.!?…]$/, "$&."); // the server’s own words
  if (code) return REFUSALS[code] ?? HINDRANCES[code] ?? "Refused.";
  const said = REQUESTS[kind] || REQUESTS[path] || "";
  return joins ? `${said} Your guest token goes along, so your thread does too.` : said;
}

const CLAIMS = {
  alg: "How it is signed. The verifier insists on it, whatever a token says.",
  kid: "Which of the API’s keys signed it. Anyone can fetch its public half.",
  typ: "What kind of token it is. One kind never passes for another.",
  iss: "Who made it: the sign-in API.",
  sub: { guest: "Who you are: a made-up name, as you are a guest.", user: "Who you are: the shop’s own id for you.",
    visitor: "Whom the shop vouches for: its own id for you." },
  aud: { visitor: "Whom it is for: the exchange alone. The agent refuses it.",
    other: "Whom it is for: the agent. Nobody else has to take it." },
  sid: "The session. It stays while the tokens change.",
  tenant: "Whose account it is: the shop’s.",
  agent_id: "Whom you talk to.",
  client_key: "The shop’s public key. It stands in the page, and is no secret.",
  origin: "The site that it was made for. From any other it is refused.",
  visitor_type: { guest: "You haven’t signed in.", user: "The shop has said who you are." },
  name: "Your name, as the shop gave it.",
  email: "Your address, as the shop gave it.",
  guest_id: "Who you were as a guest, so that the agent can join the two threads.",
  auth_time: "When the session began.",
  iat: "When this token was made.",
  exp: "When it ends. Nothing prolongs it; a new one takes its place.",
  jti: "The number of this one token.",
};

/** Explains a claim of a token; `who` is "guest", "user" or "visitor". */
export function meaning(claim, who) {
  const said = CLAIMS[claim] ?? "";
  return typeof said === "string" ? said : said[who] ?? said.other;
}
