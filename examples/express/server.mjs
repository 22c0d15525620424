// A shop in Express whose chat knows who is signed in.

import path from "node:path";
import cookieSession from "cookie-session";
import express from "express";

function end(reason) {
  console.error(reason);
  process.exit(1);
}

function needed(name) {
  const value = process.env[name]?.trim();
  return value || end(`${name} isn't set: ../README.md says what it is, ../demo.sh sets it for the demo`);
}

const page = path.join(import.meta.dirname, "..", "page");
const katavenUrl = needed("KATAVEN_URL");
const clientKey = needed("KATAVEN_CLIENT_KEY");
const secretKey = needed("KATAVEN_SECRET_KEY");
const shopSecretKey = needed("SHOP_SECRET_KEY");
if (shopSecretKey.length < 32) {
  end("SHOP_SECRET_KEY is too short: whoever guesses it signs in as anybody");
}
const connectUrl = process.env.KATAVEN_CONNECT_URL ?? "";
const policy =
  `default-src 'self'; script-src 'self' ${katavenUrl}; ` +
  `connect-src 'self' ${katavenUrl} ${connectUrl}; img-src 'self' https:; ` +
  "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

// Your own accounts.
const users = new Map([
  ["ada", { id: "42", name: "Ada Lovelace", email: "ada@example.com" }],
  ["grace", { id: "43", name: "Grace Hopper", email: "grace@example.com" }],
]);

// Ask the service for a token that says who a user is.
async function widgetToken(user) {
  const answer = await fetch(`${katavenUrl}/api/v1/widget/auth/user-token`, {
    method: "POST",
    headers: { Authorization: `Bearer ${secretKey}`, "Content-Type": "application/json" },
    body: JSON.stringify({
      client_key: clientKey,
      user_id: user.id,
      name: user.name,
      email: user.email,
    }),
    redirect: "error", // the secret key goes to no other address
    signal: AbortSignal.timeout(5000),
  });
  if (!answer.ok) {
    const code = answer.headers.get("X-Error-Code") ?? "no code";
    throw new Error(`user-token: ${answer.status} ${code}: ${await answer.text()}`);
  }
  return (await answer.json()).user_token;
}

// What our own session says, and never what a request says.
const who = (request) => users.get(request.session?.user) ?? null;

// Tell the page who is signed in, and where the widget is.
function tell(request, response) {
  const widget = { url: katavenUrl, client_key: clientKey, connect_url: connectUrl || null };
  response.json({ user: who(request), widget });
}

// Whether a page of ours asks; a browser too old to say so names the page's origin.
function isOwnPage(request) {
  const site = request.get("Sec-Fetch-Site");
  const origin = request.get("Origin");
  if (site === undefined && origin !== undefined) return origin.split("://")[1] === request.get("Host");
  return site === undefined || site === "same-origin";
}

// Let no page of another site have the browser ask in a user's name; keep answers out of caches.
function guard(request, response, next) {
  response.set({ "Content-Security-Policy": policy, "Cache-Control": "no-store" });
  if (request.method === "POST" && !isOwnPage(request)) response.sendStatus(403);
  else next();
}

const app = express();
app.disable("x-powered-by");
app.set("trust proxy", "loopback"); // who sets Secure cookies has to know that a proxy speaks https
app.use(guard);
app.use("/static", express.static(page, { cacheControl: false }));
app.use(cookieSession({
  keys: [shopSecretKey],
  sameSite: "lax",
  secure: process.env.SHOP_INSECURE_COOKIE === undefined,
}));

app.get("/", (_, response) => response.sendFile(path.join(page, "index.html")));

app.get("/me", tell);

// Put your own way of signing in here.
app.post("/sign-in/:name", (request, response) => {
  if (!users.has(request.params.name)) return response.sendStatus(404);
  request.session = { user: request.params.name };
  tell(request, response);
});

app.post("/sign-out", (request, response) => {
  request.session = null;
  tell(request, response);
});

app.post("/widget-token", async (request, response) => {
  const user = who(request);
  if (user === null) return response.sendStatus(204);
  try {
    response.json({ user_token: await widgetToken(user) });
  } catch (error) {
    console.error("no widget token:", error);
    response.sendStatus(503); // the widget keeps the session that it has, and asks again
  }
});

const server = app.listen(Number(process.env.PORT ?? 5000), "127.0.0.1", (error) => {
  if (error) throw error;
  console.log(`The shop is at http://localhost:${server.address().port}`);
});
