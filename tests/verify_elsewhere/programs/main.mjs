// Reads tokens, each a line of base64, and tells of each what verifySession makes of it.
import { createInterface } from "node:readline";
import { InvalidSession, verifySession } from "./session.mjs";

for await (const line of createInterface({ input: process.stdin })) {
  const token = Buffer.from(line, "base64").toString();
  try {
    console.log(`good ${(await verifySession(token)).sub}`);
  } catch (error) {
    console.log(error instanceof InvalidSession ? "invalid" : `no keys: ${error.message}`);
  }
}
