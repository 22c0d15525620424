/*! Kataven widget v1 · MIT · one file, no dependency, no build step */
(() => {
  "use strict";

  // Asked at once: when the script has run there is no current script any longer.
  const script = document.currentScript;
  const home = script?.src && new URL(script.src).origin;

  const TIMEOUT = 10_000; // ms; leaves time to ask again within the server's 30 s grace
  const MAX_BACKOFF = 60_000; // ms
  const KEPT_LINES = 50;
  const NARROW = "(max-width: 480px)";

  // The session is over, but a new one may begin.
  const ENDED = /^(invalid|expired|reused)_refresh_token|^revoked_session/;
  // The sign-in failed, but the visitor may go on as a guest.
  const NOT_SIGNED_IN = /^(invalid|expired|used|user)_token/;

  /** Every sentence that a visitor can meet; `init({strings})` replaces any of them. */
  const STRINGS = {
    title: "Chat",
    launcher: "Chat with us",
    close: "Close chat",
    log: "Conversation",
    message: "Write a message…",
    send: "Send",
    guest: "You're chatting as a guest",
    user: "You're signed in as {name}",
    no_line: "This agent has no line yet, so messages can't be sent.",
    not_delivered: "That message wasn't delivered. Please try again.",
    please_sign_in: "Please sign in to start chatting.",
    not_signed_in: "We couldn't confirm your sign-in.",
    session_over: "This session has ended. Reload the page to go on.",
    retrying: "The chat can't be reached. Trying again…",
    refused: "The chat can't start here.",
    origin_not_allowed: "This site isn't on the widget's allowlist.",
    unknown_client_key: "This widget's client key isn't known.",
    client_key_disabled: "This widget has been switched off.",
    agent_disabled: "This agent is switched off right now.",
    auth_mode_forbidden: "This agent only talks with guests.",
  };

  /** For the console: what a developer can do where the server's words don't say. */
  const REMEDIES = {
    __proto__: null,
    origin_not_allowed: `Add ${location.origin} to this key's domain_allowlist.`,
    user_token_failed: "userToken has to give a visitor token, or null for nobody.",
    network_error: "Is the API up, and in connect-src of this page's CSP?",
  };

  // ------------------------------------------------------------ helpers

  const ignore = () => {};
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  function el(tag, properties, ...children) {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...children);
    return node;
  }

  function icon(path) {
    const [svg, shape] = ["svg", "path"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    shape.setAttribute("d", path);
    svg.append(shape);
    return svg;
  }

  /** An image that leaves no hole where the page's CSP, or the network, keeps it out. */
  function picture(src) {
    const image = el("img", { alt: "", referrerPolicy: "no-referrer", onerror: () => image.remove() });
    image.src = src;
    return image;
  }

  /** Black or white, whichever has more contrast by WCAG 2: never less than 4.5 to 1. */
  function readableOn(hex) {
    const [r, g, b] = [1, 3, 5].map((i) => {
      const part = parseInt(hex.slice(i, i + 2), 16) / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff";
  }

  /** Whom a token claims to be of: to compare two of them, the server alone believes it. */
  function subject(token) {
    try {
      // As Latin-1: what is not ASCII is garbled, in both of them alike.
      return JSON.parse(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"))).sub;
    } catch {
      return undefined;
    }
  }

  // ------------------------------------------------------------ requests

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

  // ------------------------------------------------------------ storage

  /** One tab's memory: sessionStorage, and this page's own where the browser blocks that. */
  function openStore(name) {
    let kept = {};
    const attempt = (use) => {
      try {
        use();
      } catch { /* blocked, full, or not ours */ }
    };
    const load = () => attempt(() => { kept = JSON.parse(sessionStorage.getItem(name)) || {}; });
    load();
    return {
      load,
      get: (key) => kept[key],
      set(change) {
        Object.assign(kept, change);
        attempt(() => sessionStorage.setItem(name, JSON.stringify(kept)));
      },
      clear() {
        kept = {};
        attempt(() => sessionStorage.removeItem(name));
      },
    };
  }

  // ------------------------------------------------------------ the session

  /** Begins, renews and ends the session of this tab. How any of it looks is not its business. */
  function createKeeper({ apiUrl, publicKey, agentId, userToken }, name, store, on) {
    let session = null;
    let config = null;
    let asked = 1; // how often the page has said who is here
    let met = 0; // which of these the session is that of
    let notice = null; // why the visitor is a guest though the page says otherwise
    let refusal = null; // what the last run came to
    let running = null;
    let restarted = false;
    let tries = 0;
    let over = false;
    let notBefore = 0;
    let timer;
    let spent;
    let configuring;

    const channel = window.BroadcastChannel && new BroadcastChannel(name);
    if (channel) channel.onmessage = ({ data }) => hear(data || {});

    const due = () => Date.now() >= session.renewAt;
    const alive = () => session?.expires > Date.now();
    const isUser = () => session?.visitor.type === "user";
    const idle = async () => { while (running) await running.catch(ignore); };

    /** Does what is due. One run at a time: whoever asks meanwhile shares it. */
    function tick() {
      if (refusal && (!refusal.retryable || Date.now() < notBefore)) return Promise.reject(refusal);
      running ||= run().finally(() => { running = null; });
      return running;
    }

    /** In small steps: a timer doesn't count the time that a laptop sleeps, the clock does. */
    function schedule(ms, at = Date.now() + ms) {
      clearTimeout(timer);
      timer = setTimeout(() => {
        if (Date.now() < at) schedule(at - Date.now());
        else tick().catch(ignore);
      }, Math.min(ms, 30_000));
    }

    async function run() {
      clearTimeout(timer);
      configuring = config || configure();
      const parts = await Promise.allSettled([keep(), configuring]);
      let { reason } = parts.find((part) => part.reason) || {};
      if (over) throw refusal;
      if (!reason && (!session || met !== asked)) return run(); // signed out, or in, meanwhile
      reason ||= await follow().catch((error) => error);
      if (reason) throw fail(reason instanceof Refusal ? reason : failure("widget_error", reason));
      tries = 0;
      refusal = null;
      schedule(session.renewAt - Date.now());
      on.ready(config, notice);
    }

    async function keep() {
      if (met !== asked || !session) await settle();
      else if (due()) await refresh();
    }

    function fail(reason) {
      refusal = reason;
      reason.signIn = reason.code === "auth_mode_forbidden" && reason.path !== "exchange" && !isUser();
      const { retryable, retryAfter } = reason;
      if (retryable) {
        const backoff = Math.min(MAX_BACKOFF, 1000 * 2 ** tries++) * (0.5 + Math.random() / 2);
        const least = Math.max(retryAfter, 1000);
        notBefore = Date.now() + least;
        schedule(Math.max(backoff, least));
      } else {
        take(null);
      }
      on.problem(reason, alive() && met === asked ? "ready" : retryable ? "offline" : "refused");
      return reason;
    }

    async function configure(agent = agentId) {
      const query = new URLSearchParams({ client_key: publicKey, ...(agent && { agent_id: agent }) });
      const answer = await request(`${apiUrl}/api/v1/widget/config?${query}`);
      if (!answer.agent) throw new Refusal("bad_answer", "", 0, true);
      config = answer;
      if (agent === agentId) store.set({ usersOnly: config.agent.auth_mode === "user" });
      on.config(config);
    }

    /** A sign-in may be for another agent than the page's: the panel bears the name of the one who answers. */
    async function follow() {
      if (config.agent.id !== session.agent) await configure(session.agent);
    }

    /** Makes the session that of whoever the page says is here. */
    async function settle() {
      const meeting = asked;
      session ||= store.get("session");
      if (!(session?.lost > Date.now())) session = null;
      notice = null;
      const token = await ask().catch((reason) => { notice = reason; });
      // A page that can't say right now is asked again, before a user's session is given up.
      if (notice && isUser()) throw Object.assign(notice, { retryable: true });
      if (token && isUser() && subject(token) === subject(session.token)) {
        await resume();
        spent = token; // a token for a session that goes on signs nobody in again
      } else {
        if (token) notice = await exchange(token);
        // A page that names nobody has signed out, and a token that is refused names nobody.
        if (!token || notice) await becomeGuest();
      }
      met = meeting;
    }

    function resume() {
      if (due()) return refresh();
      return on.session(session);
    }

    /** The visitor token that the page gives, or null for nobody. */
    async function ask() {
      const given = userToken;
      const asks = typeof given === "function";
      try {
        const late = pause(TIMEOUT).then(() => { throw new Error("no answer in time"); });
        const token = await Promise.race([asks ? given() : given, late]);
        if (typeof (token ?? "") !== "string") throw new TypeError(`neither a string nor null: ${typeof token}`);
        return !asks && token === spent && !session ? null : token;
      } catch (error) {
        throw failure("user_token_failed", error);
      }
    }

    /** Signs in; gives the refusal where the visitor may go on as a guest. */
    async function exchange(token, again = typeof userToken === "function") {
      const before = session;
      try {
        const guest = before && !isUser() && alive() ? { guest_token: before.token } : {};
        await begin("exchange", { token, client_key: publicKey, ...guest });
      } catch (reason) {
        if (!NOT_SIGNED_IN.test(reason.code)) throw reason;
        const next = again && (await ask().catch(ignore));
        return next ? exchange(next, false) : reason;
      }
      spent = token;
      if (before?.visitor.type === "user") logout(before);
      return null;
    }

    async function becomeGuest() {
      if (isUser()) logout(session);
      if (session) return resume();
      try {
        // A tab that knows its agent takes no guests looks before it asks.
        if (store.get("usersOnly")) await configuring;
        if (store.get("usersOnly")) throw new Refusal("auth_mode_forbidden", "", 403);
        return await begin("guest", { client_key: publicKey, agent_id: agentId });
      } catch (reason) {
        throw (reason.code === "auth_mode_forbidden" && notice) || reason; // why nobody is signed in
      }
    }

    /** Renews, unless another tab with the same session does so while this one waits. */
    async function refresh() {
      const old = session;
      try {
        await alone(() => session === old && begin("refresh", { refresh_token: old.refresh }));
        restarted = false;
      } catch (reason) {
        if (!ENDED.test(reason.code)) throw reason;
        take(null);
        // Begun anew, and refused before it was even old: trying once more won't help.
        if (restarted && Date.now() < old.expires) throw reason;
        restarted = true;
        await settle();
      }
    }

    async function alone(job) {
      let held = false;
      try {
        return await navigator.locks.request(`${name}:${session.id}`, { signal: AbortSignal.timeout(TIMEOUT) }, async () => {
          held = true;
          await pause(40); // for the news of a tab that has just let go of the lock
          return job();
        });
      } catch (reason) {
        if (held) throw reason;
        return job(); // no lock to be had: the server's grace is the second net
      }
    }

    const post = (path, body, options) =>
      request(`${apiUrl}/api/v1/widget/auth/${path}`, { method: "POST", body: JSON.stringify(body), ...options })
        .catch((reason) => { throw Object.assign(reason, { path }); });

    async function begin(path, body) {
      // Counted from before the request: an answer that was long on its way is not taken for young.
      const sent = Date.now();
      const answer = await post(path, body);
      const life = (answer.expires_at - answer.server_time) * 1000;
      if (!answer.token || !(life > 0)) throw new Refusal("bad_answer", "", 0, true); // a hotel's sign-in page, say
      take({
        token: answer.token,
        refresh: answer.refresh_token,
        id: answer.session_id,
        agent: answer.agent_id,
        visitor: answer.visitor,
        expires: sent + life,
        renewAt: sent + life - Math.min(60_000, life / 3),
        lost: sent + answer.refresh_expires_in * 1000,
      });
      channel?.postMessage({ session });
    }

    function take(next) {
      session = next;
      store.set({ session });
      on.session(session);
    }

    async function logout(old) {
      if (session === old) take(null);
      channel?.postMessage({ ended: old.id, left: old.visitor.id });
      await post("logout", { refresh_token: old.refresh }, { keepalive: true }).catch(ignore);
    }

    /** News from a tab that holds a copy of this session. */
    function hear({ ended, left, session: renewed }) {
      if (!session) return;
      if (ended === session.id) {
        take(null);
        refusal = null;
        tick().catch(ignore);
      } else if (isUser() && left === session.visitor.id) {
        asked += 1; // signed out in a tab with a session of its own: is it so for this page too?
        refusal = null;
        tick().catch(ignore);
      } else if (renewed?.id === session.id && renewed.expires > session.expires) {
        take(renewed);
        refusal = null;
        tick().catch(ignore);
      }
    }

    return {
      tick,
      /** The page is seen again, or the network is back: is anything due? */
      wake() {
        if (refusal || !session || due()) tick().catch(ignore);
      },
      async identify(who = userToken) {
        userToken = who;
        asked += 1;
        await idle();
        if (!over) refusal = null;
        return tick();
      },
      /** As after a reload: the session is the one that the store has, if the page still names its user. */
      recall() {
        session = null;
        on.session(null);
        this.identify().catch(ignore);
      },
      async renew() {
        await idle();
        if (session) session.renewAt = 0;
        return tick();
      },
      async token() {
        await idle();
        // A renewal that failed does no harm while the old token is good.
        const meets = () => met === asked && session;
        if (!meets() || due()) await tick().catch((reason) => { if (!meets() || !alive()) throw reason; });
        return session.token;
      },
      async end() {
        over = true;
        refusal = new Refusal("shut_down");
        await idle();
        clearTimeout(timer);
        const old = session;
        session = null;
        store.clear();
        if (old) await logout(old);
        channel?.close();
      },
    };
  }

  // ------------------------------------------------------------ the looks

  const STYLE = `
:host { all: initial !important; position: fixed !important; z-index: 2147483000 !important; color-scheme: light dark !important }
:host([data-at^=b]) { bottom: calc(20px + env(safe-area-inset-bottom)) !important }
:host([data-at^=t]) { top: calc(20px + env(safe-area-inset-top)) !important }
:host([data-at$=r]) { right: calc(20px + env(safe-area-inset-right)) !important }
:host([data-at$=l]) { left: calc(20px + env(safe-area-inset-left)) !important }
:host([data-at^=b]) .panel { bottom: 68px }
:host([data-at^=t]) .panel { top: 68px }
:host([data-at$=r]) .panel { right: 0 }
:host([data-at$=l]) .panel { left: 0 }
* { box-sizing: border-box; margin: 0; font: inherit; color: inherit }
[hidden] { display: none !important }
.root { --bg: #fff; --fg: #171a21; --soft: #f1f3f6; --line: #d9dde4; --muted: #59606e; --warn: #fff3e0; --on-warn: #6b3a00;
  font: medium/1.45 system-ui, sans-serif; color: var(--fg); text-align: start }
@media (prefers-color-scheme: dark) {
  .root { --bg: #171a21; --fg: #f2f4f7; --soft: #272c37; --line: #3a4150; --muted: #aab2c0; --warn: #3b2a10; --on-warn: #ffdca8 }
}
button { border: 0; cursor: pointer }
:focus-visible { outline: 3px solid var(--fg); outline-offset: 2px }
svg { display: block; width: 24px; height: 24px; fill: none; stroke: currentColor; stroke-width: 2; stroke-linecap: round; stroke-linejoin: round }
img { object-fit: cover }
.launcher { display: flex; align-items: center; gap: 10px; max-width: calc(100vw - 40px); min-height: 56px; padding: 8px 22px 8px 18px;
  border: 1px solid #fff3; border-radius: 28px; font-weight: 600; background: var(--primary); color: var(--on-primary); box-shadow: 0 4px 20px #0005 }
.launcher img { width: 30px; height: 30px; border-radius: 8px }
.launcher img + svg { display: none }
.badge { width: 22px; border-radius: 11px; background: #b42318; color: #fff; text-align: center }
.panel { position: absolute; display: flex; flex-direction: column; overflow: hidden; width: min(24em, 100vw - 40px); height: 36em; max-height: min(36em, 100dvh - 112px);
  background: var(--bg); border: 1px solid var(--line); border-radius: 18px; box-shadow: 0 12px 48px #0005; animation: rise .18s ease-out }
@keyframes rise { from { opacity: 0; transform: translateY(12px) } }
.head { display: flex; align-items: center; gap: 12px; padding: 14px 14px 14px 18px; background: var(--primary); color: var(--on-primary);
  border-block-end: 4px solid var(--accent) }
.head img { width: 42px; height: 42px; border-radius: 50%; background: #fff }
.head div { flex: 1; min-width: 0; overflow-wrap: anywhere }
h2 { font-weight: 700; font-size: 1.1em; line-height: 1.25 }
.who { font-size: .875em }
.close, .send { padding: 11px; border-radius: 50%; background: var(--primary) }
.head :focus-visible, .log:focus-visible, textarea:focus-visible { outline-color: currentColor; outline-offset: -3px }
.log { flex: 1; display: flex; flex-direction: column; gap: 8px; overflow: auto; overscroll-behavior: contain; padding: 18px }
.who:empty, .status:empty { display: none }
.log:empty { padding: 0 }
.log p { max-width: 85%; padding: 8px 13px; border: 1px solid transparent; border-radius: 18px; white-space: pre-wrap; overflow-wrap: anywhere }
.agent { align-self: flex-start; background: var(--soft); border-end-start-radius: 4px }
.visitor { align-self: flex-end; background: var(--accent); color: var(--on-accent); border-end-end-radius: 4px }
.status { margin: 14px; padding: 12px 14px; border-radius: 12px; font-size: .9em; background: var(--soft); overflow-wrap: anywhere }
.bad { background: var(--warn); color: var(--on-warn) }
strong { display: block; font-weight: 600 }
code { display: block; margin-block-start: 6px; font: .9em monospace }
form { display: flex; align-items: flex-end; gap: 8px; padding: 12px; border-block-start: 1px solid var(--line) }
textarea { flex: 1; min-width: 0; max-height: 8em; resize: none; field-sizing: content; padding: 10px 16px; border: 1px solid var(--muted); border-radius: 23px; background: none }
::placeholder { color: var(--muted); opacity: 1 }
.send { color: var(--on-primary) }
.send:dir(rtl) { transform: scaleX(-1) }
:disabled { opacity: .5; cursor: not-allowed }
.notice { padding: 0 18px 13px; color: var(--muted); font-size: .8em; text-align: center; text-wrap: balance }
.refused { height: auto }
.refused form, .refused .notice { display: none }
@media ${NARROW} {
  :host .panel.panel { position: fixed; inset: 0; width: auto; height: auto; max-height: 100dvh; border: 0; border-radius: 0; padding: env(safe-area-inset-top) 0 env(safe-area-inset-bottom) }
  :host .panel.refused { top: auto; padding-top: 0; border-radius: 18px 18px 0 0 }
  .panel:not([hidden]) + .launcher { display: none }
}
@media (prefers-reduced-motion) { .panel { animation: none } }
@media print { :host { display: none !important } }
`;

  /** The launcher and the panel. It is told what to show, and tells what the visitor does. */
  function createView(strings, on) {
    const host = el("kataven-widget");
    const name = el("h2");
    const who = el("p", { className: "who" });
    const shut = el("button", { className: "close", type: "button", ariaLabel: strings.close, onclick: close },
      icon("M6 6l12 12M18 6L6 18"));
    const head = el("div", { className: "head" }, el("div", {}, name, who), shut);
    const log = el("div", { className: "log", role: "log", tabIndex: 0, ariaLabel: strings.log });
    const status = el("div", { role: "status" });
    const input = el("textarea", { rows: 1, maxLength: 2000, placeholder: strings.message, ariaLabel: strings.message });
    const send = el("button", { className: "send", ariaLabel: strings.send }, icon("M11 13L20 4l-5 16-4-7-7-3z"));
    const form = el("form", { onsubmit: submit }, input, send);
    const notice = el("p", { className: "notice" });
    const panel = el("section", { role: "dialog", hidden: true, onkeydown: key }, head, log, status, form, notice);
    const label = el("span");
    const badge = el("span", { className: "badge", textContent: "!" });
    const launcher = el("button", { className: "launcher", type: "button", hidden: true, ariaExpanded: "false", onclick: toggle },
      icon("M21 11.5a8.4 8.4 0 0 1-12.3 7.5L3 21l2-5.7A8.4 8.4 0 1 1 21 11.5z"), label, badge);
    const root = el("div", { className: "root" }, panel, launcher);
    let opener = null;

    const sheet = new CSSStyleSheet(); // passes a strict CSP, which a <style> doesn't
    sheet.replaceSync(STYLE);
    const shadow = host.attachShadow({ mode: "open" });
    shadow.adoptedStyleSheets = [sheet];
    shadow.append(root);
    // What is typed here must not set off the page's own shortcuts.
    for (const type of ["keydown", "keypress", "keyup"]) root.addEventListener(type, (event) => event.stopPropagation());
    brand({});
    show("loading");
    launcher.hidden = true;

    function brand({ agent = {}, branding = {} }) {
      for (const part of ["primary", "accent"]) {
        const given = String(branding[`${part}_color`]).replace(/^#(.)(.)(.)$/, "#$1$1$2$2$3$3");
        const hex = /^#[0-9a-f]{6}$/i.test(given) ? given : "#3f4654";
        root.style.setProperty(`--${part}`, hex);
        root.style.setProperty(`--on-${part}`, readableOn(hex));
      }
      host.dataset.at = branding.launcher_position || "br";
      name.textContent = panel.ariaLabel = agent.display_name || strings.title;
      label.textContent = branding.launcher_label || strings.launcher;
      notice.textContent = branding.privacy_notice || "";
      root.querySelectorAll("img, .greeting").forEach((old) => old.remove());
      const face = agent.avatar_url || branding.logo_url;
      if (face) head.prepend(picture(face));
      if (branding.logo_url) launcher.prepend(picture(branding.logo_url));
      if (agent.greeting) log.prepend(el("p", { className: "agent greeting", dir: "auto", textContent: agent.greeting }));
    }

    /** Shows how things stand, with a word about it where one is needed. */
    function show(state, { title, detail, code, bad } = {}) {
      enable(state === "ready" && !!on.send);
      host.dataset.state = state;
      if (code) host.dataset.errorCode = code;
      else delete host.dataset.errorCode;
      launcher.hidden = false;
      badge.hidden = !bad || state === "ready";
      panel.className = `panel ${state}`;
      status.className = `status ${bad ? "bad" : ""}`;
      status.replaceChildren();
      if (title) status.append(el("strong", { textContent: title }), detail || "");
      if (bad) status.append(el("code", { textContent: code }));
    }

    /** A draft stays; the log keeps its focus meanwhile. */
    function enable(yes) {
      if (input.disabled !== yes) return;
      const move = (yes ? log : form).contains(shadow.activeElement);
      input.disabled = send.disabled = !yes;
      if (move) (yes ? input : log).focus();
    }

    function visitor(session) {
      const { type, name: called, email, id } = session?.visitor || {};
      for (const [key, value] of [["visitor", type], ["sessionId", session?.id]]) {
        if (value) host.dataset[key] = value;
        else delete host.dataset[key];
      }
      who.textContent = type ? strings[type].replace("{name}", () => called || email || id) : "";
    }

    function line(speaker, text) {
      const said = el("p", { className: `line ${speaker}`, dir: "auto", textContent: text });
      log.append(said);
      log.scrollTop = log.scrollHeight;
      return said;
    }

    function open(quietly) {
      if (!panel.hidden) return;
      opener = document.activeElement;
      panel.hidden = false;
      // On a small screen it covers the page, so the focus has to stay in it.
      panel.ariaModal = String(matchMedia(NARROW).matches);
      launcher.ariaExpanded = "true";
      log.scrollTop = log.scrollHeight;
      if (quietly !== true) [input, log, shut].find((node) => node.offsetHeight && !node.disabled)?.focus();
      on.toggled("open");
    }

    function close() {
      if (panel.hidden) return;
      const inside = shadow.activeElement;
      panel.hidden = true;
      launcher.ariaExpanded = "false";
      if (inside) (opener === host || opener === document.body || !opener?.isConnected ? launcher : opener).focus();
      on.toggled("close");
    }

    function toggle() {
      if (panel.hidden) open();
      else close();
    }

    function submit(event) {
      event.preventDefault();
      const text = input.value.trim();
      if (!text || input.disabled) return;
      input.value = "";
      on.send(text);
    }

    function key(event) {
      if (event.key === "Escape") close();
      if (event.key === "Enter" && event.target === input && !event.shiftKey && !event.isComposing) submit(event);
      if (event.key === "Tab" && panel.ariaModal === "true") {
        const stops = [shut, log, input, send].filter((node) => node.offsetHeight && !node.disabled);
        const edge = event.shiftKey ? 0 : -1;
        if (event.target !== stops.at(edge)) return;
        event.preventDefault();
        stops.at(-1 - edge).focus();
      }
    }

    return {
      host, input, brand, show, visitor, line, open, close, toggle,
      lines(lines) {
        log.querySelectorAll(".line").forEach((old) => old.remove());
        lines.forEach(([speaker, text]) => line(speaker, text));
      },
    };
  }

  // ------------------------------------------------------------ all of it together

  const widgets = new Map();

  function init(options = {}) {
    const { publicKey } = options;
    if (/^sk_/.test(publicKey)) throw new TypeError("Kataven: a secret key in a page is public. Rotate it now.");
    if (!publicKey) throw new TypeError("Kataven.init needs a publicKey (pk_…).");
    const apiUrl = (options.apiUrl || home || "").replace(/\/+$/, "");
    if (!apiUrl) throw new TypeError("Kataven.init needs an apiUrl.");
    const known = widgets.get(publicKey);
    if (known && "userToken" in options) known.handle.identify(options.userToken ?? null).catch(ignore);
    if (known) known.place(); // a page that swaps its body took it away
    else widgets.set(publicKey, assemble({ ...options, apiUrl }));
    return widgets.get(publicKey).handle;
  }

  function assemble(options) {
    const { publicKey, agentId, connectUrl } = options;
    const strings = { ...STRINGS, ...options.strings };
    const storeName = `kataven:${publicKey}:${agentId || ""}`;
    const store = openStore(storeName);
    const listening = new AbortController();
    const events = new EventTarget();
    const standing = {}; // so that a late listener learns what holds now
    let logged;
    let returned = ""; // what wasn't delivered, as it stands in the input

    const view = createView(strings, {
      send: connectUrl && send,
      toggled(type) {
        if (listening.signal.aborted) return;
        store.set({ open: type === "open" });
        emit(type);
      },
    });

    const keeper = createKeeper(options, storeName, store, {
      config: view.brand,
      session: showSession,
      ready(config, notice) {
        if (notice) problem(notice, "ready");
        else showReady();
        if (!standing.ready) emit("ready", standing.ready = { config });
      },
      problem,
    });

    function emit(type, detail) {
      events.dispatchEvent(new CustomEvent(type, { detail }));
      view.host.dispatchEvent(new CustomEvent(`kataven:${type}`, { detail, bubbles: true }));
    }

    function showReady() {
      logged = standing.error = null;
      view.show("ready", connectUrl ? {} : { title: strings.no_line });
    }

    function showSession(session) {
      if (!session) return hideSession();
      const { id, agent, visitor, expires } = session;
      const owner = store.get("owner");
      // What a user wrote is for nobody else at this screen.
      if (owner?.type === "user" && owner.id !== visitor.id) {
        store.set({ lines: [] });
        view.input.value = "";
      }
      if (owner?.id !== visitor.id || !standing.session) view.lines(store.get("lines") || []);
      store.set({ owner: { id: visitor.id, type: visitor.type } });
      view.visitor(session);
      emit("session", standing.session = { visitor, sessionId: id, agentId: agent, expiresAt: expires });
    }

    /** Signed out, or over: whoever comes next is told by a new session, and may need a while. */
    function hideSession() {
      standing.session = null;
      view.visitor(null);
      if (store.get("owner")?.type === "user") view.lines([]);
    }

    function problem({ code, detail, note, status, retryable, signIn }, state) {
      const message = signIn ? strings.please_sign_in
        : NOT_SIGNED_IN.test(code) ? strings.not_signed_in
          : ENDED.test(code) ? strings.session_over
            : Object.hasOwn(strings, code) ? strings[code]
              : retryable ? strings.retrying : strings.refused;
      if (state !== "ready") {
        standing.ready = null;
        view.visitor(null);
      }
      // A renewal that will be tried again is no news while the session is good.
      if (state !== "ready" || !retryable) {
        view.show(state, { title: message, detail: signIn || retryable ? "" : detail, code, bad: !signIn });
      }
      if (!signIn) complain(code, status, note || detail || message, REMEDIES[code]);
      emit("error", standing.error = { code, detail, status, retryable, message });
    }

    function complain(code, status, what, remedy = "") {
      if (logged !== code) console.error(`Kataven: ${code}${status ? ` (${status})` : ""}. ${what}${remedy && ` → ${remedy}`}`);
      logged = code;
    }

    function say(said) {
      store.set({ lines: [...(store.get("lines") || []), said].slice(-KEPT_LINES) });
      return view.line(...said);
    }

    /** Is the one who wrote it still here? Nobody else may send it, or read the reply. */
    const isKept = (said) => (store.get("lines") || []).includes(said);

    async function send(text) {
      const said = ["visitor", text];
      const line = say(said);
      const waiting = Object.assign(view.line("agent", "…"), { ariaHidden: "true" });
      try {
        const { reply } = await deliver(said).catch(async (reason) => {
          if (reason.status !== 401) throw reason;
          await keeper.renew(); // cut short, perhaps; asked once more, it is a real no
          return deliver(said);
        });
        if (typeof reply !== "string") throw new Refusal("bad_answer");
        if (!standing.session || !isKept(said)) return;
        say(["agent", reply]);
        if (standing.ready) showReady();
      } catch (reason) {
        if (!isKept(said)) return;
        unsay(said, line);
        if (standing.ready) view.show("ready", { title: strings.not_delivered, code: reason.code, bad: true });
        complain(reason.code, reason.status, `${connectUrl} didn't answer. ${reason.detail || ""}`);
      } finally {
        waiting.remove();
      }
    }

    /** Gives back what wasn't delivered: before the draft, after what was given back already. */
    function unsay(said, line) {
      const lines = store.get("lines").filter((kept) => kept !== said);
      store.set({ lines });
      if (line.isConnected) line.remove();
      else view.lines(lines); // drawn anew meanwhile, with a new session
      const { input } = view;
      if (!input.value.startsWith(returned)) returned = "";
      const draft = input.value.slice(returned.length).trim();
      returned = [returned, said[1]].filter(Boolean).join("\n");
      input.value = [returned, draft].filter(Boolean).join("\n");
    }

    async function deliver(said) {
      const token = await keeper.token();
      if (!isKept(said)) throw new Refusal("somebody_else");
      return request(connectUrl, {
        method: "POST",
        headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
        body: JSON.stringify({ message: said[1] }),
      });
    }

    const listen = (target, type, act) => target.addEventListener(type, act, { signal: listening.signal });

    /** What this page remembers is as old as the page; the tab went on without it. */
    function comeBack() {
      store.load();
      keeper.recall();
    }

    function place() {
      if (document.body && !view.host.isConnected && !listening.signal.aborted) document.body.append(view.host);
    }

    function start() {
      place();
      listen(document, "visibilitychange", () => document.hidden || keeper.wake());
      listen(window, "online", keeper.wake);
      // Back out of the page cache: somebody may have signed in or out meanwhile.
      listen(window, "pageshow", (event) => event.persisted && comeBack());
      keeper.tick().catch(ignore);
      if (store.get("open") && !matchMedia(NARROW).matches) view.open(true);
    }

    if (document.body) start();
    else listen(document, "DOMContentLoaded", start);

    const handle = {
      open() {
        place();
        view.open();
      },
      close: view.close,
      toggle() {
        place();
        view.toggle();
      },
      identify: keeper.identify,
      getToken: keeper.token,
      renew: keeper.renew,
      on(type, act) {
        const heard = (event) => act(event.detail);
        listen(events, type, heard);
        if (standing[type]) queueMicrotask(() => act(standing[type]));
        return () => events.removeEventListener(type, heard);
      },
      async shutdown() {
        if (listening.signal.aborted) return;
        widgets.delete(publicKey);
        listening.abort();
        view.host.remove();
        await keeper.end();
      },
    };
    return { handle, place };
  }

  window.Kataven ??= Object.freeze({ init });

  /** The tag names nobody, so it lets the page's own `init` come first; after that this one does nothing. */
  function startFromTag() {
    const { clientKey, agent, connectUrl } = script.dataset;
    window.Kataven.init({ publicKey: clientKey, agentId: agent, connectUrl, apiUrl: home });
  }

  if (script?.dataset.clientKey) {
    const later = () => setTimeout(startFromTag); // behind the page's own listeners
    const [navigation] = performance.getEntriesByType("navigation");
    // By the clock: while deferred scripts run, the state is "interactive" already, but init may yet come.
    const parsed = document.readyState === "complete" || navigation?.domContentLoadedEventStart > 0;
    if (parsed) later();
    else window.addEventListener("DOMContentLoaded", later, { once: true });
  }
})();
