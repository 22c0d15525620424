// Reads {jwks, issuer, tokens}, and prints what jose and jsonwebtoken each read in every token.
import { createPublicKey } from "node:crypto";
import { text } from "node:stream/consumers";
import { createLocalJWKSet, jwtVerify } from "jose";
import jsonwebtoken from "jsonwebtoken";

const { jwks, issuer, tokens } = JSON.parse(await text(process.stdin));
const expected = { issuer, audience: "kataven:connect", clockTolerance: 10 };
const local = createLocalJWKSet(jwks);

async function byJose(token) {
  const { payload } = await jwtVerify(token, local, { ...expected, typ: "widget-session+jwt" });
  return payload;
}

function byJsonwebtoken(token) {
  const header = jsonwebtoken.decode(token, { complete: true })?.header;
  const jwk = jwks.keys.find((key) => key.kid === header?.kid);
  if (jwk === undefined || header.typ !== "widget-session+jwt") throw new Error("another token");
  const key = createPublicKey({ key: jwk, format: "jwk" });
  return jsonwebtoken.verify(token, key, { ...expected, algorithms: [jwk.alg] });
}

async function readBy(verify) {
  const read = {};
  for (const [name, token] of Object.entries(tokens)) {
    try {
      read[name] = await verify(token);
    } catch {
      read[name] = null;
    }
  }
  return read;
}

console.log(JSON.stringify({ jose: await readBy(byJose), jsonwebtoken: await readBy(byJsonwebtoken) }));
