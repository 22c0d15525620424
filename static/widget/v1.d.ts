/**
 * The types of the widget, `/widget/v1.js`: `Kataven`, `window.Kataven`, its events and its element.
 * Put this file among those that your compiler reads; there is nothing to import. TypeScript 4.8 or later.
 *
 * @example
 * const widget = Kataven.init({
 *   publicKey: "pk_live_acme_BoQCCzO6l9f3zHpc1yR96g",
 *   connectUrl: "https://agents.example.com/connect",
 *   userToken: async () => {
 *     const answer = await fetch("/widget-token", { method: "POST" });
 *     if (answer.status === 204) return null; // nobody is signed in
 *     if (!answer.ok) throw new Error(`/widget-token: ${answer.status}`); // the widget asks again
 *     return (await answer.json()).user_token;
 *   },
 * });
 * widget.on("session", ({ visitor }) => console.log(visitor.type));
 */

declare const Kataven: Kataven.Api;

declare namespace Kataven {
  /** What the script puts into the page. */
  interface Api {
    /**
     * Begins a widget. A second call with the same `publicKey` gives the same handle, and takes `userToken`
     * alone, if it is there.
     * @param then is called with the handle, at once; by way of the stub it is the only way to get it.
     * @throws TypeError where `publicKey` is no `pk_…`.
     */
    init(options: Options, then?: (handle: Handle) => void): Handle;
  }

  /**
   * What a page may put in the place of a script that is still on its way; its calls are done when it comes:
   * `window.Kataven ??= { q: [], init(...call) { this.q.push(call) } };`
   */
  interface Stub {
    q: Parameters<Api["init"]>[];
    init(...call: Parameters<Api["init"]>): void;
  }

  /**
   * Who is here: the visitor token that your backend got, or null for nobody; or a function that gives it
   * whenever one is needed, and throws where it can't tell.
   */
  type UserToken = string | null | (() => string | null | Promise<string | null>);

  interface Options {
    /** The client key, `pk_…`; never a secret key, `sk_…`. */
    publicKey: string;
    /** Whom to talk to; left out, the key's own agent or the tenant's. */
    agentId?: string;
    /** The sign-in service; left out, where the script came from. */
    apiUrl?: string;
    /** Your agent, where messages go; left out, nothing can be sent. */
    connectUrl?: string;
    /** Who is here; left out, nobody, and in a second `init` whoever it was. */
    userToken?: UserToken;
    /** "open": no session is begun before the visitor opens the panel, or the page needs one. */
    mint?: "open";
    /** Keeps session and thread in `localStorage`, beyond the tab; left out, as long as the tab. */
    persist?: boolean;
    /** Sentences in the place of the widget's own; that of an error may be named by its code. */
    strings?: Partial<Strings> & { readonly [code in NamedErrorCode]?: string };
  }

  interface Handle {
    /** Opens the panel, and puts the focus into it. */
    open(): void;
    /** Closes the panel, and gives the focus back. */
    close(): void;
    /** Opens or closes the panel. */
    toggle(): void;
    /**
     * Says who is here from now on; null signs out.
     * @returns once there is a session again; rejected with a `KatavenError` where there is none.
     */
    identify(userToken: UserToken): Promise<void>;
    /** A session token that is still good, renewed or begun if need be; or a `KatavenError`. */
    getToken(): Promise<string>;
    /** Renews the session now, whether it is time or not; rejected with a `KatavenError`. */
    renew(): Promise<void>;
    /**
     * Listens; what holds already (`ready`, `session`, `error`) is told at once.
     * @returns what ends it.
     */
    on<Type extends keyof Events>(type: Type, listener: (detail: Events[Type]) => void): () => void;
    /** Ends the session, forgets what was kept and takes the widget off the page. */
    shutdown(): Promise<void>;
  }

  /** What listeners are given, and DOM events, `kataven:ready` and so on, have as their `detail`. */
  interface Events {
    /** The visitor may write; again after every time that this was not so. */
    ready: { config: Config };
    /** The panel was opened. */
    open: null;
    /** The panel was closed. */
    close: null;
    /** A session was begun or renewed. */
    session: Session;
    /** Something was refused, or failed. */
    error: Failure;
  }

  type EventType = keyof Events;

  interface Session {
    visitor: Visitor;
    /** `ses_…`; stays in a renewal. */
    sessionId: string;
    /** The agent who answers. */
    agentId: string;
    /** When the token ends: milliseconds, by the visitor's clock. */
    expiresAt: number;
  }

  interface Visitor {
    /** The user's id in your own terms, or `guest_…`. */
    id: string;
    type: "guest" | "user";
    name: string | null;
    email: string | null;
  }

  interface Failure {
    code: ErrorCode;
    /** For a developer: why, as the server or the page's own function put it; may be empty. */
    detail: string;
    /** The HTTP status; 0 where it wasn't an answer that failed. */
    status: number;
    /** Whether the widget tries again by itself. */
    retryable: boolean;
    /** What the visitor reads. */
    message: string;
  }

  /** What the handle's promises are rejected with. */
  interface KatavenError extends Error {
    code: ErrorCode;
    detail: string;
    status: number;
    retryable?: boolean;
  }

  type KnownErrorCode =
    // the page, the network
    | "network_error"
    | "bad_answer"
    | "user_token_failed"
    | "shut_down"
    | "widget_error"
    // the service: docs/protocol.md has them all
    | "origin_not_allowed"
    | "unknown_client_key"
    | "client_key_disabled"
    | "client_key_mismatch"
    | "agent_disabled"
    | "auth_mode_forbidden"
    | "missing_agent_id"
    | "unknown_agent_id"
    | "invalid_field"
    | "invalid_token"
    | "expired_token"
    | "used_token"
    | "rate_limited"
    | "request_timeout"
    | "too_many_connections"
    | "state_unavailable"
    | "internal_error"
    | "bad_gateway";

  /** Those that may have a sentence of their own; a sign-in that failed always has `not_signed_in`. */
  type NamedErrorCode = Exclude<
    KnownErrorCode,
    "user_token_failed" | "invalid_token" | "expired_token" | "used_token" | "shut_down"
  >;

  /** Servers may have more; one that names no code is `http_` and the status. */
  type ErrorCode = KnownErrorCode | (string & {});

  /** Each sentence that a visitor can meet; `user` has a place for the `{name}`. */
  interface Strings {
    title: string;
    close: string;
    message: string;
    send: string;
    guest: string;
    user: string;
    no_line: string;
    not_delivered: string;
    please_sign_in: string;
    not_signed_in: string;
    retrying: string;
    refused: string;
    origin_not_allowed: string;
  }

  /** What the tenants' file says of the key, the agent and the looks. */
  interface Config {
    client_key: string;
    tenant: { id: string; name: string };
    agent: {
      id: string;
      display_name: string;
      greeting: string;
      avatar_url: string | null;
      auth_mode: "guest" | "user" | "both";
    };
    branding: {
      primary_color: string;
      accent_color: string;
      logo_url: string | null;
      launcher_position: "br" | "bl" | "tr" | "tl";
      launcher_label: string;
      privacy_notice: string | null;
    };
  }

  /** `<kataven-widget>`; its attributes say how things stand. */
  interface WidgetElement extends HTMLElement {
    readonly dataset: DOMStringMap & {
      state?: "loading" | "ready" | "refused" | "offline";
      visitor?: "guest" | "user";
      sessionId?: string;
      errorCode?: ErrorCode;
    };
  }

  /** The events as the element dispatches them; they bubble. */
  type DomEvents = { [Type in EventType as `kataven:${Type}`]: CustomEvent<Events[Type]> };
}

interface Window {
  get Kataven(): Kataven.Api & ThisType<Kataven.Stub>;
  set Kataven(api: Kataven.Api | (Kataven.Stub & ThisType<Kataven.Stub>));
}

interface HTMLElementTagNameMap {
  "kataven-widget": Kataven.WidgetElement;
}

interface GlobalEventHandlersEventMap extends Kataven.DomEvents {}
