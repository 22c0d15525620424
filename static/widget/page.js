// How a page begins a widget: by a call, or by the tag alone.

const tag = document.currentScript; // none any longer when this has run
// A page's `<img name=currentScript>` would stand there instead, and get the visitors' tokens.
const script = tag instanceof HTMLScriptElement && tag;
const home = script.src && new URL(script.src).origin;
const widgets = new Map();

function init(options = {}, then) {
  const { publicKey, userToken } = options;
  if (!/^pk_/.test(publicKey)) throw new TypeError("Kataven.init needs a publicKey, pk_…, and no secret key.");
  const apiUrl = (options.apiUrl || home || "").replace(/\/+$/, "");
  const known = widgets.get(publicKey);
  if (!known) widgets.set(publicKey, assemble({ ...options, apiUrl }));
  else if (userToken !== undefined) known.handle.identify(userToken).catch(ignore);
  const { handle, place } = widgets.get(publicKey);
  place();
  then?.(handle);
  return handle;
}

/** The tag names nobody, so it lets the page's own `init` come first; after that this one does nothing. */
function startFromTag() {
  const { clientKey: publicKey, agent: agentId, connectUrl, mint, persist } = script.dataset;
  window.Kataven.init({ publicKey, agentId, connectUrl, mint, persist: persist === "true", apiUrl: home });
}

const early = window.Kataven; // the page's stub, or this script once more
if (!early || early.q) window.Kataven = { init };
for (const call of early?.q || []) queueMicrotask(() => init(...call)); // one's mistake is not the next one's

if (script && "clientKey" in script.dataset) {
  const later = () => setTimeout(startFromTag); // behind the page's own listeners
  // What isn't async is there before the page is parsed, unless a script put it in later.
  if (script.async || (!script.defer && document.readyState !== "loading")) later();
  else addEventListener("DOMContentLoaded", later);
}
