// What a page may write: every option, method and event, each way to name who is here, and the queue.

window.Kataven ??= { q: [], init(...call) { this.q.push(call) } };

const strings: Partial<Kataven.Strings> = { title: "Help", user: "Hello {name}" };
const options: Kataven.Options = {
  publicKey: "pk_live_acme_x",
  agentId: "support",
  apiUrl: "https://widget.example.com",
  connectUrl: "https://agents.example.com/connect",
  userToken: "eyJ…",
  mint: "open",
  persist: true,
  strings: { ...strings, rate_limited: "Busy" },
};
const widget: Kataven.Handle = Kataven.init(options, (same) => same.open());
window.Kataven.init({ publicKey: "pk_live_acme_x" }).toggle();

widget.open();
widget.close();
widget.toggle();
const done: Promise<void>[] = [
  widget.identify("eyJ…"),
  widget.identify(null),
  widget.identify(() => null),
  widget.identify(async () => (await fetch("/widget-token")).text()),
  widget.renew(),
  widget.shutdown(),
];
const header: Promise<string> = widget.getToken().then((token) => `Bearer ${token}`);
Promise.all([header, ...done]).catch(({ code, detail, status, retryable }: Kataven.KatavenError) => {
  console.error(code.toUpperCase(), detail, status + 1, retryable ?? false);
});

const off: () => void = widget.on("ready", ({ config }) => config.agent.greeting.trim());
off();
widget.on("open", () => console.log("open"));
widget.on("close", (nothing) => console.log(nothing === null));
widget.on("session", ({ visitor, sessionId, agentId, expiresAt }) => {
  console.log(visitor.id, visitor.name ?? visitor.email, sessionId, agentId, new Date(expiresAt));
  if (visitor.type === "guest") widget.open();
});
widget.on("error", ({ code, detail, status, retryable, message }) => {
  if (code === "origin_not_allowed" || code === "http_418") console.log(detail, status, retryable, message);
});

document.addEventListener("kataven:ready", ({ detail }) => console.log(detail.config.branding.logo_url));
window.addEventListener("kataven:open", ({ detail }) => console.log(detail === null));
const element = document.querySelector("kataven-widget");
element?.addEventListener("kataven:close", () => element.remove());
element?.addEventListener("kataven:session", ({ detail }) => console.log(detail.expiresAt));
element?.addEventListener("kataven:error", ({ detail }) => console.log(detail.code));
console.log(element?.dataset.state === "offline", element?.dataset.visitor === "user");
