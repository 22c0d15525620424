// The shop's side of the widget: it says who is here, and shows what the session does.
"use strict";

const page = document.body.dataset;
const $ = (id) => document.getElementById(id);
let session = null;
let lifetime = 1;

/** The shop's backend gets the visitor token, for whoever its own cookie says is here. */
async function visitorToken() {
  const answer = await fetch("/widget-token", { method: "POST" });
  if (answer.status === 401) return null;
  const body = await answer.json();
  if (!answer.ok) throw new Error(`the shop's backend was refused: ${body.error}`);
  return body.user_token;
}

function embed() {
  const widget = window.Kataven.init({
    publicKey: page.clientKey,
    agentId: page.agent || undefined,
    apiUrl: page.apiUrl,
    connectUrl: page.connectUrl || undefined,
    userToken: page.customer ? visitorToken : null,
  });
  widget.on("session", (news) => showSession(news, widget));
  widget.on("error", showError);
  for (const button of document.querySelectorAll("[data-open-widget]")) {
    button.addEventListener("click", () => widget.open());
  }
  $("renew").addEventListener("click", () => renew(widget));
  setInterval(countDown, 1000);
}

async function renew(widget) {
  $("renew").disabled = true;
  try {
    await widget.renew();
    $("live-note").textContent = "Renewed: the same session, a new token.";
  } catch { /* the error event tells */ }
  $("renew").disabled = false;
}

async function showSession(news, widget) {
  session = news;
  lifetime = Math.max(1, news.expiresAt - Date.now());
  const { type, name, email, id } = news.visitor;
  $("live").dataset.state = type;
  $("live-visitor").textContent = type === "user" ? `user · ${name || email || id}` : "guest";
  $("live-session").textContent = $("live-session").title = news.sessionId;
  $("live-note").textContent = "";
  for (const step of document.querySelectorAll("[data-step]")) {
    const current = step.dataset.step === type;
    step.classList.toggle("current", current);
    step.classList.toggle("done", type === "user" && !current);
    if (current) step.setAttribute("aria-current", "step");
    else step.removeAttribute("aria-current");
  }
  countDown();
  const token = await widget.getToken().catch(() => "");
  // Its end is enough to see that it changes. The whole of it is nobody's business.
  $("live-token").textContent = token && `…${token.slice(-8)}`;
}

function countDown() {
  if (!session) return;
  const left = Math.max(0, session.expiresAt - Date.now());
  const seconds = Math.round(left / 1000);
  $("live-expiry").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  $("live-bar").style.inlineSize = `${Math.min(100, (100 * left) / lifetime)}%`;
}

function showError(error) {
  $("live").dataset.state = "error";
  $("live-note").textContent = `${error.message} (${error.code})`;
}

if (window.Kataven) embed();
else showError({ message: `The widget couldn't be loaded from ${page.apiUrl}.`, code: "script_error" });
