// All of it together, and what a page calls.

function assemble(options) {
  const { publicKey, agentId, connectUrl, apiUrl, persist } = options;
  const strings = { __proto__: null, ...STRINGS, ...options.strings };
  const name = `kataven:${publicKey}:${agentId || ""}`;
  const store = openStore(name, persist);
  const origins = [apiUrl, connectUrl].filter(Boolean).map((url) => new URL(url, location).origin);
  const listening = new AbortController();
  const standing = {}; // so that a late listener learns what holds now
  let { lines = [], owner, open } = store.read();
  let logged;
  let returned = ""; // what wasn't delivered, as it stands in the input

  const view = createView(strings, {
    send: connectUrl && send,
    toggled(type) {
      if (listening.signal.aborted) return;
      store.write({ open: type === "open" });
      emit(type);
      if (type === "open") keeper.open();
    },
  });
  const { host, input } = view;

  const keeper = createKeeper(options, name, store, {
    config: view.brand,
    session: showSession,
    left() { owner ||= 1; }, // a shutdown leaves nothing of a guest's either
    ready(config, notice) {
      if (notice) problem(notice, "ready");
      else showReady();
      if (!standing.ready) emit("ready", { config });
    },
    problem,
  });

  function emit(type, detail) {
    standing[type] = detail;
    host.dispatchEvent(new CustomEvent(`kataven:${type}`, { detail, bubbles: true }));
  }

  function showReady() {
    logged = standing.error = null;
    view.show("ready", connectUrl ? {} : { title: strings.no_line });
  }

  function showSession(session) {
    if (!session) return hideSession();
    const { session_id: id, agent_id: agentId, visitor, sent, life } = session;
    const user = visitor.type === "user" && visitor.id;
    // What a user wrote is for nobody else at this screen.
    if (owner && owner !== user) {
      lines = [];
      view.wipe();
      input.value = "";
      standing.session = null;
    }
    if (!standing.session) view.lines(lines);
    owner = user;
    store.write({ owner, lines });
    view.visitor({ id, visitor });
    emit("session", { visitor, sessionId: id, agentId, expiresAt: sent + life });
  }

  /** Signed out, or over: whoever comes next is told by a new session, and may need a while. */
  function hideSession() {
    standing.session = null;
    view.visitor(null);
    if (owner) view.wipe();
  }

  function problem(reason, state) {
    const { code = "widget_error", detail = `${reason}`, status = 0, retryable = false, signIn } = reason;
    const message = strings[signIn ? "please_sign_in" : NOT_SIGNED_IN.test(code) ? "not_signed_in" : code]
      || strings[retryable ? "retrying" : "refused"];
    if (state && state !== "ready") {
      standing.ready = null;
      view.visitor(null);
    }
    // A renewal that will be tried again is no news while the session is good.
    if (state) view.show(state, { title: message, code, bad: !signIn });
    if (!signIn) complain(code, status, detail);
    emit("error", { code, detail, status, retryable, message });
  }

  /** Once for a failure, however often it is tried again. */
  function complain(code, status, what) {
    const remedy = {
      origin_not_allowed: `\nAdd ${location.origin} to domain_allowlist.`,
      network_error: `\nCSP needs: script-src ${origins[0]}; connect-src ${origins.join(" ")}.`,
    }[code] || "";
    if (logged !== code) console.error(`Kataven: ${code}${status ? ` (${status})` : ""}. ${what}${remedy}`);
    logged = code;
  }

  function say(said) {
    lines = [...lines, said].slice(-MOST_LINES);
    store.write({ lines });
    return view.line(...said);
  }

  async function send(text) {
    const said = ["visitor", text];
    const line = say(said);
    const waiting = Object.assign(view.line("agent", "…"), { ariaHidden: "true" });
    // Is the one who wrote it still here? Nobody else may send it, or read the reply.
    const left = () => !lines.includes(said);
    const deliver = async () => {
      const token = await keeper.token();
      if (left()) throw 0;
      return request(connectUrl, {
        method: "POST",
        headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
        body: JSON.stringify({ message: text }),
      });
    };
    try {
      const { reply } = await deliver().catch(async (reason) => {
        if (reason.status !== 401) throw reason;
        await keeper.renew(); // cut short, perhaps; asked once more, it is a real no
        return deliver();
      });
      if (typeof reply !== "string") throw refusal("bad_answer");
      if (!standing.session || left()) return;
      say(["agent", reply]);
      if (standing.ready) showReady();
    } catch (reason) {
      if (left()) return;
      unsay(said, line);
      if (standing.ready) view.show("ready", { title: strings.not_delivered, code: reason.code, bad: true });
      complain(reason.code, reason.status, `${connectUrl} didn't answer. ${reason.detail}`);
    } finally {
      waiting.remove();
    }
  }

  /** Gives back what wasn't delivered: before the draft, after what was given back already. */
  function unsay(said, line) {
    lines = lines.filter((kept) => kept !== said);
    store.write({ lines });
    line.remove();
    if (!`${input.value}\n`.startsWith(returned)) returned = "";
    const draft = input.value.slice(returned.length);
    returned += `${said[1]}\n`;
    input.value = (returned + draft).trim();
  }

  const listen = (target, type, act) => target.addEventListener(type, act, { signal: listening.signal });

  /** Where a page swaps its body, it took the widget away. */
  function place() {
    if (host.isConnected) return;
    (document.body || document.documentElement).append(host);
    view.fit();
  }

  listen(view.small, "change", view.fit);
  listen(document, "visibilitychange", keeper.wake);
  listen(window, "online", keeper.online);
  // Back out of the page cache: somebody may have signed in or out meanwhile.
  listen(window, "pageshow", (event) => {
    if (!event.persisted) return;
    if (owner) input.value = "";
    ({ lines = [], owner } = store.read());
    view.wipe();
    keeper.recall();
  });
  place();
  keeper.tock();
  if (open && !view.small.matches) view.open(true);

  const handle = {
    open: view.open,
    close: view.close,
    toggle: view.toggle,
    identify: keeper.identify,
    getToken: keeper.token,
    renew: keeper.renew,
    on(type, act) {
      const heard = (event) => act(event.detail);
      listen(host, `kataven:${type}`, heard);
      if (standing[type]) queueMicrotask(() => act(standing[type]));
      return () => host.removeEventListener(`kataven:${type}`, heard);
    },
    async shutdown() {
      if (listening.signal.aborted) return;
      widgets.delete(publicKey);
      listening.abort();
      host.remove();
      await keeper.end();
    },
  };
  return { handle, place };
}
