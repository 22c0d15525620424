// The session of now: who is here, for how long, and what stands in its way.
import { $, el, span } from "./dom.js";
import { onChange, recall } from "./memory.js";
import { showSessionToken } from "./tokens.js";

const page = document.body.dataset;
let session = null;
let lifetime = 1;

export async function showSession(news, widget) {
  session = news;
  lifetime = Math.max(1, news.expiresAt - Date.now());
  const { type, name, email, id } = news.visitor;
  $("live").dataset.state = type;
  $("live-visitor").textContent = type === "user" ? `user · ${name || email || id}` : "guest";
  $("live-session").textContent = $("live-session").title = news.sessionId;
  $("live-note").replaceChildren();
  markStep(type);
  countDown();
  glance();
  const token = await widget.getToken().catch(() => null);
  if (session !== news) return;
  // Its end is enough to see that it changes. The whole of it is nobody's business.
  $("live-token").textContent = token ? `…${token.slice(-8)}` : "none";
  if (token) showSessionToken(token);
}

function markStep(type) {
  for (const step of document.querySelectorAll("[data-step]")) {
    const current = step.dataset.step === type;
    step.classList.toggle("current", current);
    step.classList.toggle("done", type === "user" && !current);
    if (current) step.setAttribute("aria-current", "step");
    else step.removeAttribute("aria-current");
  }
}

function countDown() {
  if (!session) return;
  const left = Math.max(0, session.expiresAt - Date.now());
  $("live-expiry").textContent = span(left);
  $("live-bar").style.inlineSize = `${Math.min(100, (100 * left) / lifetime)}%`;
}

/** Nobody can take back a token that is out: the agent asks no one before it takes it. */
export function showError({ message, code, retryable }) {
  const alive = session && session.expiresAt > Date.now();
  $("live").dataset.state = "error";
  $("live-note").textContent = `${message} (${code})`;
  if (alive && !retryable) $("live-note").textContent += " Until it ends, the agent still takes the token that is out.";
  if (session) return;
  for (const part of ["visitor", "token", "session", "expiry"]) $(`live-${part}`).textContent = "none";
}

/** Where the inspector is far below, this much of it is seen from the shop. */
function glance() {
  const { entries, dropped } = recall();
  const sent = `${dropped + entries.length} request${dropped + entries.length === 1 ? "" : "s"}`;
  const who = session && (session.visitor.type === "user" ? session.visitor.name || session.visitor.id : "guest");
  $("glance").textContent = who ? `${who} · ${sent}` : sent;
}

/** The shop's page was written for somebody who isn't here any longer. */
export function showMoved(what) {
  const words = () => (what ? [`${what} `, el("a", { href: location.pathname, textContent: "Load this page anew" })] : []);
  $("news").replaceChildren(...words());
  if (what) $("live-note").replaceChildren(...words());
}

export function startLive() {
  onChange(glance);
  glance();
  setInterval(countDown, 1000);
}
