// The shop's side of the widget: it says who is here, and shows what the session does.
import { $ } from "./dom.js";
import { startDiagram } from "./diagram.js";
import { startFile } from "./file.js";
import { showError, showMoved, showSession, startLive } from "./live.js";
import { startRequests } from "./requests.js";
import { startTokens } from "./tokens.js";
import { startTrials } from "./trials.js";

const page = document.body.dataset;
let widget = null;
let signedOut = false; // elsewhere: this page still greets its customer

/** The shop's backend gets the visitor token, for whoever its own cookie says is here. */
async function visitorToken() {
  const answer = await fetch("/widget-token", { method: "POST" });
  signedOut = answer.status === 401;
  if (signedOut) return null;
  const body = await answer.json();
  if (!answer.ok) throw new Error(`the shop's backend was refused: ${body.error}`);
  return body.user_token;
}

const userToken = page.customer ? visitorToken : null;

function embed() {
  widget = window.Kataven.init({
    publicKey: page.clientKey,
    agentId: page.agent || undefined,
    apiUrl: page.apiUrl,
    connectUrl: page.connectUrl || undefined,
    userToken,
  });
  widget.on("session", (news) => {
    showSession(news, widget);
    showMoved(moved(news.visitor));
  });
  widget.on("error", showError);
}

/** How the one who is here differs from the one that the page was written for. */
function moved({ type, id, name }) {
  if (type === "user") return id === page.customer ? null : `${name ?? id} signed in, in another tab.`;
  return page.customer && signedOut ? "You signed out in another tab." : null;
}

/** Has the widget try again what it was refused. */
const begin = () => widget.identify(userToken);

async function renew() {
  $("renew").disabled = true;
  try {
    await widget.renew();
    $("live-note").textContent = "Renewed: the same session, a new token.";
  } catch { /* the error event tells */ }
  $("renew").disabled = false;
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
  startLive();
  addEventListener("beforeprint", openForPrint);
  if (!window.Kataven) {
    showError({ message: `The widget couldn't be loaded from ${page.apiUrl}.`, code: "script_error" });
    return;
  }
  for (const [type, words] of [["open", "Close the widget"], ["close", "Open the widget"]]) {
    addEventListener(`kataven:${type}`, () => { $("toggle").textContent = words; });
  }
  embed();
  document.querySelector("[data-open-widget]").addEventListener("click", () => widget.open());
  $("toggle").addEventListener("click", () => widget.toggle());
  $("renew").addEventListener("click", renew);
  startTrials(widget);
  startFile(widget, begin);
}

start();
