// The session: begun, renewed and ended.

const POLL = 20_000; // ms
const MAX_BACKOFF = 60_000;
const DAY = 86_400_000;

// The session is over, but a new one may begin.
const ENDED = /refresh_token|revoked_session/;

/** Begins, renews and ends the session. How any of it looks is not its business. */
function createKeeper({ apiUrl, publicKey, agentId, userToken = null, mint, persist }, name, store, on) {
  let session;
  let config;
  let got; // when that was
  let known; // whether the session is that of whom the page says is here
  let fresh; // whether this page has fetched the config itself
  let begun; // whether this page has been ready
  let notice; // why the visitor is a guest though the page says otherwise
  let problem; // what the last run came to
  let failed = 0; // when that was
  let patience = 0; // for how long nothing is tried again
  let tries = 0;
  let over;
  let running;
  let timer;

  /** A clock that was set back makes everything old: rather too early than never. */
  const within = (since, ms, age = Date.now() - since) => age >= 0 && age < ms;
  const young = (ms) => within(session?.sent, ms);
  const alive = () => young(session?.life);
  const due = () => wanted && !young(session?.renew);
  const isUser = (of = session) => of?.visitor.type === "user";
  /** Which of two sessions all tabs go on with: a user's, and of two guests' always the same. */
  const rank = (of) => (isUser(of) ? "user" : of?.session_id);
  const usersOnly = () => config?.agent.auth_mode === "user";
  const idle = async () => {
    wanted = true;
    while (running) await running.catch(ignore);
  };
  const post = (path, body, options) => request(`${apiUrl}/api/v1/widget/auth/${path}`, { method: "POST", body: JSON.stringify(body), ...options });
  let channel;
  try {
    channel = new BroadcastChannel(name + !!persist);
    channel.onmessage = ({ data }) => hear(data);
  } catch { /* nothing may be kept here: each tab is for itself */ }

  recall();
  if (config) on.config(config);
  let wanted = mint !== "open" || session; // nothing is minted before

  function recall() {
    ({ session, config, got } = store.read());
    if (!young(session?.refresh_expires_in * 1000)) session = null;
  }

  /** Does what is due. One run at a time: whoever asks meanwhile shares it. */
  async function tick() {
    if (over || within(failed, patience)) throw over || problem;
    return running ||= run().catch(fail).finally(() => { running = null; });
  }

  const tock = () => tick().catch(ignore);

  /** Looks again and again: one long timer wouldn't count the time that a laptop sleeps. */
  function wake() {
    rest(POLL);
    const again = notice?.retryable;
    if (again) known = false;
    if (again || problem || due()) tock();
  }

  function rest(ms) {
    clearTimeout(timer);
    timer = setTimeout(wake, ms);
  }

  /** Later each time, and not when everybody does. */
  const backOff = (ms) => rest(ms + Math.random() * Math.min(MAX_BACKOFF, 1000 * 2 ** tries++));

  async function run() {
    // A page's first run is content with what is kept: an edit is met by a renewal, or when somebody looks.
    // Where nothing is ever renewed, it would be kept for ever.
    const asks = !config || (begun ? known || !fresh : !wanted && !within(got, DAY));
    const parts = [wanted && keep(), asks && configure(session?.agent_id)];
    await Promise.allSettled(parts); // nothing is left running, whichever fails
    await Promise.all(parts);
    if (wanted && !(known && session)) return run(); // signed out, or in, meanwhile
    // A sign-in may be for another agent than the page's: the panel bears the name of the one who answers.
    if (session && config.agent.id !== session.agent_id) await configure(session.agent_id);
    problem = null;
    begun = true;
    if (notice?.retryable) backOff(1000);
    else {
      tries = 0;
      rest(POLL);
    }
    on.ready(config, notice);
  }

  async function keep() {
    if (begun && known && session) return due() && refresh();
    known = true; // unless the page says something else meanwhile
    return settle().catch((reason) => {
      known = false;
      throw reason;
    });
  }

  function fail(reason) {
    problem = reason;
    const { code, status, retryable, retryAfter } = reason;
    reason.signIn = code === "auth_mode_forbidden" && usersOnly();
    failed = Date.now();
    patience = retryable ? Math.max(1000, retryAfter) || 1000 : Infinity;
    if (retryable) backOff(patience);
    else take(null);
    if (status === undefined) store.clear(); // no refusal: what is kept may be the fault
    on.problem(reason, begun && known && alive() ? "" : retryable ? "offline" : "refused");
    throw reason;
  }

  async function configure(agent = agentId) {
    const query = `client_key=${publicKey}${agent ? `&agent_id=${agent}` : ""}`;
    const answer = await request(`${apiUrl}/api/v1/widget/config?${query}`, { cache: "no-cache" });
    if (!answer.agent) throw hitch("bad_answer", apiUrl);
    fresh = true;
    got = Date.now();
    const news = JSON.stringify(answer) !== JSON.stringify(config);
    config = answer;
    store.write({ config, got });
    if (news) on.config(config);
  }

  /** Makes the session that of whoever the page says is here. */
  async function settle() {
    notice = null;
    const token = await ask().catch((reason) => { notice = reason; });
    // A page that can't say right now is asked again, before a user's session is given up.
    if (notice?.retryable && isUser()) throw notice;
    // A token for a session that goes on signs nobody in again.
    if (token && isUser() && subject(token) === subject(session.token)) return resume();
    if (token) notice = await exchange(token);
    // A page that names nobody has signed out, and a token that is refused names nobody.
    if (!token || notice) await becomeGuest();
  }

  async function resume() {
    if (due()) await refresh().catch((reason) => { if (!alive()) throw reason; });
    on.session(session);
  }

  /** The visitor token that the page gives, or null for nobody. */
  async function ask() {
    const asks = !!userToken?.call;
    try {
      const token = await Promise.race([asks ? userToken() : userToken, pause(TIMEOUT)]);
      if (token !== null && typeof token !== "string") throw `userToken gave ${typeof token}, and no string or null in 10 s`;
      return token;
    } catch (error) {
      throw refusal("user_token_failed", String(error), { retryable: asks });
    }
  }

  /** Signs in; gives the refusal where the visitor may go on as a guest. */
  async function exchange(token, again = userToken?.call) {
    const before = session;
    const was = isUser();
    try {
      const guest = !was && alive() && { guest_token: before.token };
      await begin("exchange", { token, client_key: publicKey, ...guest });
    } catch (reason) {
      if (!NOT_SIGNED_IN.test(reason.code)) throw reason;
      const next = again && (await ask().catch(ignore));
      return next ? exchange(next, null) : reason;
    }
    if (was) logout(before);
  }

  async function becomeGuest() {
    if (isUser()) logout(session);
    if (session) return resume();
    try {
      // An agent that was for users only is looked at again before it is asked for a guest.
      if (usersOnly()) await configure();
      if (usersOnly()) throw refusal("auth_mode_forbidden");
      await begin("guest", { client_key: publicKey, agent_id: agentId });
    } catch (reason) {
      throw (reason.code === "auth_mode_forbidden" && notice) || reason; // why nobody is signed in
    }
  }

  /** Renews, unless another tab with the same session does so while this one waits. */
  async function refresh() {
    const old = session;
    const renew = async () => session === old && begin("refresh", { refresh_token: old.refresh_token }).catch((reason) => {
      if (!ENDED.test(reason.code)) throw reason;
      if (session === old) take(null); // or another tab has signed in meanwhile
    });
    try {
      await navigator.locks.request(name, { signal: AbortSignal.timeout(TIMEOUT) }, async () => {
        await pause(200); // for the news of a tab that has just let go of the lock
        await renew();
      });
    } catch (reason) {
      if ("status" in reason) throw reason;
      await renew(); // no lock to be had: the server's grace is the second net
    }
  }

  async function begin(path, body) {
    // Counted from before the request: an answer that was long on its way is not taken for young.
    const sent = Date.now();
    const before = session;
    const answer = await post(path, body);
    // Another tab signed in or out meanwhile: that is what counts, save for a sign-in.
    if (session !== before && !body.token) return;
    const life = answer.expires_in * 1000; // by the server's clock, whatever the visitor's says
    if (!(life > 0)) throw hitch("bad_answer", apiUrl);
    take({ ...answer, sent, life, renew: life - Math.min(60_000, life / 3) });
    channel?.postMessage({ next: session });
  }

  function take(next) {
    session = next;
    store.write({ session });
    on.session(session);
  }

  function logout(old) {
    if (session === old) take(null);
    channel?.postMessage({ left: old });
    return post("logout", { refresh_token: old.refresh_token }, { keepalive: true }).catch(ignore);
  }

  /** News from another tab: of a session that this one shares, or of a user who left. */
  function hear({ next, left }) {
    if (next) {
      if (next.session_id !== session?.session_id && (!persist || rank(next) < rank(session))) return;
      wanted = true;
      take(next);
    } else {
      if (left.visitor.id !== session?.visitor.id) return;
      if (left.session_id === session.session_id) {
        on.left();
        take(null);
      }
      known = false; // signed out there: is it so for this page too?
    }
    patience = 0;
    tock();
  }

  async function identify(who) {
    known = false;
    userToken = who;
    await idle();
    patience = 0;
    return tick();
  }

  return {
    tock,
    wake,
    identify,
    online() {
      patience = 0;
      wake();
    },
    /** The visitor looks: what was put off is done now. */
    open() {
      wanted = true;
      if (!fresh || !known) tock();
    },
    /** As after a reload: the session is the one that is kept, if the page still names its user. */
    recall() {
      recall();
      on.session(null);
      if (wanted ||= session) identify(userToken).catch(ignore);
    },
    async renew() {
      await idle();
      if (session) session.renew = 0;
      return tick();
    },
    async token() {
      await idle();
      // A renewal that failed does no harm while the old token is good.
      if (!known || due()) await tick().catch((reason) => { if (!known || !alive()) throw reason; });
      return session.token;
    },
    async end() {
      over = refusal("shut_down");
      store.clear();
      store.write = ignore; // it may be another widget's by now
      await idle();
      clearTimeout(timer);
      await (session && logout(session));
      channel?.close();
    },
  };
}
