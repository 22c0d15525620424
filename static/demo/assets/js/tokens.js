// The tokens, read claim by claim. Reading is no verifying: whoever takes one checks its signature.
import { $, el, span } from "./dom.js";
import { onChange, recall, serverNow } from "./memory.js";
import { meaning } from "./words.js";

const TIMES = new Set(["iat", "exp", "auth_time"]);
let sessionToken = null;

/** The header and the claims of a JWT. */
export function decode(token) {
  const [header, claims] = token.split(".").slice(0, 2).map((part) => {
    const bytes = atob(part.replace(/-/g, "+").replace(/_/g, "/"));
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes, (letter) => letter.charCodeAt(0))));
  });
  return { header, claims };
}

/** Enough to see that it changes; the whole of it is nobody's business. */
const excerpt = (text) => (text ? `${text.slice(0, 10)}…${text.slice(-8)}` : "");

function value(claim, given) {
  return TIMES.has(claim) ? new Date(given * 1000).toLocaleTimeString() : String(given);
}

function rows(claims, who) {
  return Object.entries(claims).map(([claim, given]) => el("div", {},
    el("dt", { textContent: claim }),
    el("dd", { className: "value", textContent: value(claim, given) }),
    el("dd", { className: "meaning", textContent: meaning(claim, who) })));
}

function showJwt(card, token, kind) {
  if (card.dataset.shown === (token ?? "")) return;
  card.dataset.shown = token ?? "";
  card.hidden = !token;
  if (!token) return;
  const { header, claims } = decode(token);
  const who = kind === "visitor" ? kind : claims.visitor_type;
  card.dataset.until = claims.exp * 1000;
  card.querySelector(".raw").textContent = excerpt(token);
  card.querySelector(".claims").replaceChildren(...rows(header, who), ...rows(claims, who));
}

function draw() {
  const { visitorToken, visitorSpent, refreshToken, refreshUntil, rotations } = recall();
  showJwt($("session-token"), sessionToken, "session");
  showJwt($("visitor-token"), visitorToken, "visitor");
  $("visitor-token").classList.toggle("spent", visitorSpent);
  const card = $("refresh-token");
  card.hidden = !(refreshToken && sessionToken);
  card.dataset.until = refreshUntil;
  card.querySelector(".raw").textContent = excerpt(refreshToken);
  $("rotations").textContent = ["never", "once"][rotations] ?? `${rotations} times`;
  countDown();
}

function countDown() {
  for (const card of document.querySelectorAll(".token[data-until]")) {
    const left = Number(card.dataset.until) - serverNow();
    const spent = card.classList.contains("spent"); // then its end is of no account
    card.querySelector(".left").textContent = spent ? "spent" : left > 0 ? `ends in ${span(left)}` : "has ended";
    card.classList.toggle("ended", !spent && left <= 0);
  }
}

/** The session token that was shown last, while it's good. */
export const lastToken = () =>
  (sessionToken && decode(sessionToken).claims.exp * 1000 > serverNow() ? sessionToken : null);

/** Shows the session token that the widget has now. */
export function showSessionToken(token) {
  sessionToken = token;
  draw();
}

export function startTokens() {
  onChange(draw);
  setInterval(countDown, 1000);
  draw();
}
