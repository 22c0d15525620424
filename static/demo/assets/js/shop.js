// The shop's side of the widget: it says who is here, and shows what the session does.
import { $, span } from "./dom.js";
import { startDiagram } from "./diagram.js";
import { startFile } from "./file.js";
import { startRequests } from "./requests.js";
import { showSessionToken, startTokens } from "./tokens.js";
import { startTrials } from "./trials.js";

const page = document.body.dataset;
let widget = null;
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
  widget = window.Kataven.init({
    publicKey: page.clientKey,
    agentId: page.agent || undefined,
    apiUrl: page.apiUrl,
    connectUrl: page.connectUrl || undefined,
    userToken: page.customer ? visitorToken : null,
  });
  widget.on("session", showSession);
  widget.on("error", showError);
}

/** As a page that is loaded anew, without what the widget remembers. */
async function restart() {
  const old = widget;
  widget = null;
  await old.shutdown();
  embed();
}

async function renew() {
  $("renew").disabled = true;
  try {
    await widget.renew();
    $("live-note").textContent = "Renewed: the same session, a new token.";
  } catch { /* the error event tells */ }
  $("renew").disabled = false;
}

async function showSession(news) {
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
  const token = await widget?.getToken().catch(() => null);
  if (session !== news) return;
  // Its end is enough to see that it changes. The whole of it is nobody's business.
  $("live-token").textContent = token ? `…${token.slice(-8)}` : "none";
  showSessionToken(token ?? null);
}

function countDown() {
  if (!session) return;
  const left = Math.max(0, session.expiresAt - Date.now());
  $("live-expiry").textContent = span(left);
  $("live-bar").style.inlineSize = `${Math.min(100, (100 * left) / lifetime)}%`;
}

function showError(error) {
  $("live").dataset.state = "error";
  $("live-note").textContent = `${error.message} (${error.code})`;
}

/** On paper everything is open. */
function openForPrint() {
  const shut = [...document.querySelectorAll("details:not([open])")];
  for (const part of shut) part.open = true;
  addEventListener("afterprint", () => shut.forEach((part) => { part.open = false; }), { once: true });
}

function start() {
  startRequests();
  startDiagram();
  startTokens();
  addEventListener("beforeprint", openForPrint);
  if (!window.Kataven) {
    showError({ message: `The widget couldn't be loaded from ${page.apiUrl}.`, code: "script_error" });
    return;
  }
  embed();
  for (const button of document.querySelectorAll("[data-open-widget]")) {
    button.addEventListener("click", () => widget?.open());
  }
  $("renew").addEventListener("click", renew);
  setInterval(countDown, 1000);
  startTrials(() => widget);
  startFile({ widget: () => widget, restart });
}

start();
