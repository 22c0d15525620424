// Runs in a page of another origin: tries what its host asks for, and tells what the API said.
"use strict";

const { apiUrl, framedBy } = document.body.dataset;
const hosts = new Set(framedBy.split(" "));
const ACTIONS = new Set(["guest", "refresh"]);

async function ask({ action, body }) {
  const began = performance.now();
  const answer = { status: 0, code: "network_error", detail: null };
  try {
    const response = await fetch(`${apiUrl}/api/v1/widget/auth/${action}`, {
      method: "POST",
      credentials: "omit",
      headers: { Accept: "application/problem+json" },
      body: JSON.stringify(body),
    });
    const { code = null, title, detail } = await response.json();
    Object.assign(answer, { status: response.status, code, detail: code && `${title}: ${detail}` });
  } catch { /* it stays a network error */ }
  return { ...answer, ms: performance.now() - began };
}

/** Whoever frames it learns that it is there, and how tall; nobody else could read it, nor frame it. */
const host = document.referrer && new URL(document.referrer).origin;
if (hosts.has(host)) {
  const tell = () => parent.postMessage({ height: document.body.offsetHeight }, host);
  tell();
  new ResizeObserver(tell).observe(document.body);
}

addEventListener("message", async ({ data, origin, ports: [port] }) => {
  if (!hosts.has(origin) || !port || !ACTIONS.has(data?.action)) return;
  const answer = await ask(data);
  document.getElementById("said").textContent = `${answer.status} ${answer.code ?? ""}`;
  port.postMessage(answer);
});
