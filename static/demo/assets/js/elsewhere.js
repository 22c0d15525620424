// Asks a small framed page of another origin to make a request. The browser writes its origin, not ours.
import { add } from "./wire.js";

const WAIT = 8000; // ms
const READY = 1000; // ms after it has loaded
const TALLEST = 160; // px

/** Has another origin's page post to the API; gives what it was answered. */
export async function attemptFrom(frame, action, body) {
  const { origin } = new URL(frame.dataset.src);
  await loaded(frame, origin);
  const at = Date.now();
  const answer = await told(frame, origin, { action, body });
  add({ from: "elsewhere", to: "api", origin, method: "POST", path: `/api/v1/widget/auth/${action}`, at,
    preflight: "none", cause: "trial", ms: answer.ms, status: answer.status, code: answer.code, detail: answer.detail });
  return answer;
}

/** It is loaded when it is first needed, and says so: a browser's own error page says nothing. */
function loaded(frame, origin) {
  if (frame.src) return null;
  frame.hidden = false;
  frame.src = frame.dataset.src;
  return new Promise((resolve, reject) => {
    const listening = new AbortController();
    let ready = false;
    addEventListener("message", ({ source, origin: from, data }) => {
      if (source !== frame.contentWindow || from !== origin) return;
      ready = true;
      if (data?.height > 0) frame.style.blockSize = `${Math.min(TALLEST, data.height + 2)}px`; // with its border
      resolve();
    }, { signal: listening.signal });
    frame.addEventListener("load", () => setTimeout(() => {
      if (ready) return;
      listening.abort();
      frame.hidden = true;
      frame.removeAttribute("src"); // to be tried again
      reject(Object.assign(new Error(origin), { code: "network_error" }));
    }, READY), { once: true });
  });
}

function told(frame, origin, request) {
  return new Promise((resolve, reject) => {
    const channel = new MessageChannel();
    const late = setTimeout(() => reject(new Error(`${origin} gave no answer`)), WAIT);
    channel.port1.onmessage = ({ data }) => {
      clearTimeout(late);
      channel.port1.close();
      resolve(data);
    };
    frame.contentWindow.postMessage(request, origin, [channel.port2]);
  });
}
