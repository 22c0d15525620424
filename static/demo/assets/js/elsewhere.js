// Asks a small framed page of another origin to make a request. The browser writes its origin, not ours.
import { add } from "./wire.js";

const WAIT = 8000; // ms

/** Has another origin's page post to the API; gives what it was answered. */
export async function attemptFrom(frame, action, body) {
  await loaded(frame);
  const { origin } = new URL(frame.src);
  const at = Date.now();
  const answer = await told(frame, origin, { action, body });
  add({ from: "elsewhere", to: "api", origin, method: "POST", path: `/api/v1/widget/auth/${action}`, at,
    preflight: "none", cause: "trial", ms: answer.ms, status: answer.status, code: answer.code, detail: answer.detail });
  return answer;
}

/** It is loaded when it is first needed: its script listens by the end of that. */
function loaded(frame) {
  if (frame.src) return null;
  frame.hidden = false;
  frame.src = frame.dataset.src;
  return new Promise((resolve) => { frame.addEventListener("load", resolve, { once: true }); });
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
