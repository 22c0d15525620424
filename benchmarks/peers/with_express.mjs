// Express, cors and jsonwebtoken: `node with_express.mjs PORT`.
import { createPrivateKey, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";

import bcrypt from "bcrypt";
import cors from "cors";
import express from "express";
import jwt from "jsonwebtoken";

const settings = JSON.parse(readFileSync(process.env.PEER_SETTINGS, "utf8"));
const { issuer, audience, kid, private_key: pem, allowlist } = settings;
// PEM, as the guide hands it over with every token; or parsed once, which costs less.
const privateKey = process.env.PEER_KEY === "parsed" ? createPrivateKey(pem) : pem;
const keys = new Map(Object.entries(settings.keys));
const API = "/api/v1/widget";
const SESSION_SECONDS = 600;
const VISITOR_SECONDS = 300;

const app = express();
app.use(cors({ origin: allowlist }));
app.use(express.json());

app.post(`${API}/auth/guest`, (request, response) => {
  const clientKey = request.body?.client_key;
  if (!clientKey) return response.status(400).json({ error: "Missing client_key" });
  const key = keys.get(clientKey);
  if (!key) return response.status(403).json({ error: "Unknown client_key" });
  const origin = request.get("Origin");
  if (!allowlist.includes(origin)) {
    return response.status(403).json({ error: "Origin not in allowlist" });
  }
  const now = Math.floor(Date.now() / 1000);
  const session = newId("ses");
  const visitor = newId("guest");
  const claims = {
    aud: audience,
    sub: visitor,
    sid: session,
    tenant: key.tenant,
    agent_id: key.agent_id,
    client_key: clientKey,
    origin,
    visitor_type: "guest",
    auth_time: now,
  };
  response.json({
    token: signed(claims, "widget-session+jwt", SESSION_SECONDS),
    token_type: "Bearer",
    expires_in: SESSION_SECONDS,
    expires_at: now + SESSION_SECONDS,
    session_id: session,
    agent_id: key.agent_id,
    visitor: { id: visitor, type: "guest", name: null, email: null },
    server_time: now,
  });
});

app.post(`${API}/auth/user-token`, async (request, response) => {
  const { client_key: clientKey, user_id: userId, name, email } = request.body ?? {};
  if (!clientKey || !userId) {
    return response.status(400).json({ error: "Missing client_key or user_id" });
  }
  const key = keys.get(clientKey);
  const secret = (request.get("Authorization") ?? "").replace(/^Bearer /, "");
  if (!key || !(await bcrypt.compare(secret, key.secret_hash))) {
    return response.status(401).json({ error: "Missing or invalid API key" });
  }
  const claims = {
    aud: `${issuer}${API}/auth/exchange`,
    sub: userId,
    tenant: key.tenant,
    client_key: clientKey,
    name,
    email,
  };
  const token = signed(claims, "widget-visitor+jwt", VISITOR_SECONDS);
  response.json({
    user_token: token,
    token,
    token_type: "Bearer",
    expires_in: VISITOR_SECONDS,
    expires_at: Math.floor(Date.now() / 1000) + VISITOR_SECONDS,
  });
});

function newId(kind) {
  return `${kind}_${randomBytes(16).toString("base64url")}`;
}

function signed(claims, typ, seconds) {
  return jwt.sign(claims, privateKey, {
    algorithm: "ES256",
    keyid: kid,
    header: { typ },
    issuer,
    jwtid: newId("tok"),
    expiresIn: seconds,
  });
}

app.listen(Number(process.argv[2]), "127.0.0.1");
