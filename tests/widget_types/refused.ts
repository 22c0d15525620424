// What a page may not write; each line with a word of what the compiler says to it.

Kataven.init(); // got 0
Kataven.init({ agentId: "support" }); // 'publicKey' is missing
Kataven.init({ publicKey: 7 }); // 'number'
Kataven.init({ publicKey: "pk_x", mint: "now" }); // "now"
Kataven.init({ publicKey: "pk_x", persist: "true" }); // 'boolean | undefined'
Kataven.init({ publicKey: "pk_x", clientKey: "pk_x" }); // 'clientKey'
Kataven.init({ publicKey: "pk_x", strings: { titel: "Help" } }); // 'titel'
Kataven.init({ publicKey: "pk_x", strings: { used_token: "Again" } }); // 'used_token'
Kataven.init({ publicKey: "pk_x", userToken: async () => undefined }); // 'undefined'
Kataven.init({ publicKey: "pk_x", userToken: async () => ({ user_token: "eyJ…" }) }); // 'UserToken
Kataven.init({ publicKey: "pk_x" }).identify(undefined); // 'UserToken'
Kataven.init({ publicKey: "pk_x" }).on("closed", () => {}); // "closed"
Kataven.init({ publicKey: "pk_x" }).on("session", ({ token }) => token); // 'token'
Kataven.init({ publicKey: "pk_x" }).getToken().trim(); // 'trim'
Kataven.init({ publicKey: "pk_x" }).logout(); // 'logout'
Kataven.start({ publicKey: "pk_x" }); // 'start'
document.addEventListener("kataven:session", ({ detail }) => detail.token); // 'token'
window.Kataven = { q: [] }; // 'init' is missing
console.log(document.querySelector("kataven-widget")?.dataset.state === "open"); // "open"
