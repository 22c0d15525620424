// The page's side of server.py: it signs in by its first message, and again whenever it is asked.
// const chat = talk("wss://chat.example.com", Kataven, console.log); chat.say("Hello");

const UNAUTHORIZED = 3000;
const LONGEST = 30_000; // ms between two attempts

/** Talks to `url` as the visitor of `widget`, and goes on doing so when the line is cut. */
export function talk(url, widget, heard) {
  let socket;
  let pause = 1000;
  let left = false;

  const sign = async () => {
    const here = socket;
    const token = await widget.getToken();
    if (here.readyState === WebSocket.OPEN) here.send(JSON.stringify({ type: "token", token }));
  };
  /** Where there is no token to be had, the line is cut, and tried again. */
  const signOrLeave = (signing) => signing.catch(() => socket.close());

  function connect() {
    socket = new WebSocket(url); // never with the token in it: an address goes into logs
    socket.addEventListener("open", () => signOrLeave(sign()));
    socket.addEventListener("message", ({ data }) => {
      const message = JSON.parse(data);
      if (message.type === "welcome") pause = 1000;
      if (message.type === "renew") signOrLeave(widget.renew().then(sign));
      else heard(message);
    });
    socket.addEventListener("close", async ({ code }) => {
      if (left) return;
      // The token wasn't taken, and the next is another. Where there is none, `sign` says so.
      if (code === UNAUTHORIZED) await widget.renew().catch(() => {});
      setTimeout(() => left || connect(), pause);
      pause = Math.min(2 * pause, LONGEST);
    });
  }

  connect();
  return {
    say(text) { socket.send(JSON.stringify({ type: "say", text })); },
    leave() { left = true; socket.close(); },
  };
}
