// The session of this tab: begun, renewed and ended.

const MAX_BACKOFF = 60_000; // ms


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
