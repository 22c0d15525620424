// All of it together, and what a page calls.

const KEPT_LINES = 50;


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
