// How a page begins a widget: by a call, or by the tag alone.

const script = document.currentScript; // none any longer when this has run
const home = script?.src && new URL(script.src).origin;
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
