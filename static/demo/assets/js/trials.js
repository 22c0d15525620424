// The attacks: each is really made, and says what was expected and what came.
import { $, el } from "./dom.js";
import { attemptFrom } from "./elsewhere.js";
import { recall } from "./memory.js";
import { showRequests } from "./requests.js";
import { decode, lastToken } from "./tokens.js";
import { inTurn } from "./turns.js";
import { attempt, settled } from "./wire.js";
import { hindrance } from "./words.js";

const page = document.body.dataset;

async function post(url, options, why) {
  const response = await attempt(url, { method: "POST", ...options }, why).catch(() => null);
  if (!response) return { status: 0, code: "network_error" };
  const answer = Object(await response.json().catch(() => null));
  return { ...answer, status: response.status, code: answer.code ?? answer.error ?? null };
}

const elsewhere = (url, body, headers = {}, why) => post(url, { credentials: "omit", body: JSON.stringify(body),
  headers: { Accept: "application/problem+json", ...headers } }, why);
const auth = (action, body) => elsewhere(`${page.apiUrl}/api/v1/widget/auth/${action}`, body);

/** Ends a trial where what came says that it can't be made, and not how it went. */
function hinder({ code }) {
  if (hindrance(code)) throw new Error(hindrance(code));
}

/** What the page has in hand after the widget renewed, just now: the pair, and what was given for it. */
async function renewed(widget) {
  await widget.renew();
  await settled();
  return { ...recall() };
}

const TRIALS = {
  async spend({ step }) {
    const vouched = await post("/widget-token");
    hinder(vouched);
    const { user_token: token } = vouched;
    const first = await auth("exchange", { token, client_key: page.clientKey });
    step("Spent the first time", "200", first);
    step("Spent again", "400 used_token", await auth("exchange", { token, client_key: page.clientKey }));
    if (first.refresh_token) await auth("logout", { refresh_token: first.refresh_token }); // it was for show
    return "Whoever reads a visitor token in a log or on the wire comes too late.";
  },

  async replay({ step, widget }) {
    const { presented: old, refreshToken, sessionId } = await renewed(widget);
    const twin = await auth("refresh", { refresh_token: old });
    step("At once, as a second tab would: the same tokens again", "200", twin);
    if (twin.refresh_token !== refreshToken) step("The very same tokens", "yes", { status: "no" });
    await renewed(widget);
    step("After one more renewal: it can only be stolen", "400 reused_refresh_token", await auth("refresh", { refresh_token: old }));
    const before = new Set(recall().entries);
    const now = await renewed(widget);
    const told = now.entries.find((entry) => !before.has(entry) && !entry.cause && entry.path.endsWith("/refresh"));
    step("The widget renews, and is told that its session is over", "400 revoked_session", told ?? {});
    step("So it begins anew by itself", "a new session", { status: now.sessionId === sessionId ? "the same session" : "a new session" });
    return "A thief and the owner can’t both go on: the session ends for both, and the owner signs in anew without noticing.";
  },

  async stranger({ step, frame }) {
    step("The stranger asks for a guest session, with this shop’s public key", "403 origin_not_allowed",
      await attemptFrom(frame, "guest", { client_key: page.clientKey }));
    return "The browser wrote the stranger’s origin on the request, and it isn’t on the key’s list.";
  },

  async swap({ step, frame, widget }) {
    if (!recall().refreshToken) await renewed(widget);
    step("Your refresh token, from the shop’s other address", "403 origin_not_allowed",
      await attemptFrom(frame, "refresh", { refresh_token: recall().refreshToken }));
    return "The other address is on the key’s list, too. But a session belongs to the origin that it began on.";
  },

  async forge({ step, widget }) {
    // Refused, the widget drops its token; the agent takes it all the same until it ends.
    const token = await widget.getToken().catch((error) => lastToken() ?? Promise.reject(error));
    const say = (bearer, why) => elsewhere(page.connectUrl, { message: "Who am I?" },
      { Authorization: `Bearer ${bearer}`, "Content-Type": "application/json" }, why);
    step("Your session token, as it is", "200", await say(token, "control"));
    step("The same, with another name written into it", "401 invalid_token", await say(forged(token)));
    return "The agent needs no secret for that: it checks the signature by the API’s public keys.";
  },
};

function forged(token) {
  const [header, , signature] = token.split(".");
  const { claims } = decode(token);
  const bytes = new TextEncoder().encode(JSON.stringify({ ...claims, sub: "the-boss", name: "The Boss" }));
  const body = btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  return `${header}.${body}.${signature}`;
}

function stepNode(what, expected, { status, code }) {
  const came = [status ?? "nothing", code].filter(Boolean).join(" ");
  const good = came === expected;
  return el("li", { className: good ? "good" : "bad" }, el("span", { className: "what", textContent: what }),
    el("span", {}, "expected ", el("code", { textContent: expected })), " ",
    el("span", { className: "came" }, "got ", el("code", { textContent: came }), good ? " ✓" : " ✗"));
}

const count = () => recall().dropped + recall().entries.length;

/** Where the list and the diagram have what was sent. */
function seenAs(before) {
  const [first, last] = [before + 1, count()];
  const numbers = last > first ? `requests ${first} ${last > first + 1 ? "to" : "and"} ${last}` : `request ${first}`;
  const link = el("a", { href: `#request-${first}`, textContent: `See ${numbers}` });
  link.addEventListener("click", (event) => {
    event.preventDefault();
    showRequests(first, last);
  });
  return el("p", { className: "seen-as" }, link);
}

async function run(card, widget) {
  const button = card.querySelector("button");
  const out = card.querySelector(".outcome");
  const steps = el("ol");
  out.replaceChildren(steps);
  const before = count();
  const step = (what, expected, answer) => {
    hinder(answer);
    steps.append(stepNode(what, expected, answer));
  };
  try {
    const moral = await TRIALS[card.dataset.trial]({ step, widget, frame: card.querySelector("iframe") });
    const asExpected = !steps.querySelector(".bad");
    out.append(el("p", { textContent: asExpected ? moral : "That wasn’t expected." }));
    card.dataset.state = asExpected ? "held" : "failed";
  } catch (error) {
    out.append(el("p", { textContent: hindrance(error.code) ?? error.message }));
    card.dataset.state = "off";
  }
  if (count() > before) out.append(seenAs(before));
  button.ariaDisabled = null;
}

export function startTrials(widget) {
  // The numbers begin anew.
  $("clear").addEventListener("click", () => document.querySelectorAll(".seen-as").forEach((link) => link.remove()));
  for (const card of document.querySelectorAll("[data-trial]")) {
    const button = card.querySelector("button");
    button.addEventListener("click", () => {
      if (card.dataset.state === "running") return;
      card.dataset.state = "running";
      button.ariaDisabled = "true"; // not `disabled`: the focus stays
      inTurn(() => run(card, widget));
    });
  }
}
