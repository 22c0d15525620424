// The page: it shows who is signed in, and tells the widget.

const find = (id) => document.getElementById(id);

// The widget calls this whenever it needs a token, so none is kept here.
async function userToken() {
  const answer = await fetch("/widget-token", { method: "POST" });
  if (answer.status === 204) return null; // nobody is signed in
  if (!answer.ok) throw new Error(`/widget-token: ${answer.status}`); // the widget asks again
  return (await answer.json()).user_token;
}

function show({ user }) {
  find("who").textContent = user ? `You are signed in as ${user.name}.` : "Nobody is signed in.";
  find("signed-in").hidden = user === null;
  find("signed-out").hidden = user !== null;
}

// The queue stands in for the widget until its script has come.
function embed({ url, client_key: publicKey, connect_url: connectUrl }) {
  window.Kataven ??= { q: [], init(...call) { this.q.push(call); } };
  const widget = new Promise((ready) => {
    Kataven.init({ publicKey, connectUrl, userToken }, ready);
  });
  const script = document.createElement("script");
  script.src = `${url}/widget/v1.js`;
  document.head.append(script);
  return widget;
}

async function post(button, widget) {
  button.disabled = true;
  const answer = await fetch(button.dataset.post, { method: "POST" });
  button.disabled = false;
  if (!answer.ok) {
    find("who").textContent = `That didn't work (${answer.status}). Please try again.`;
    return;
  }
  show(await answer.json());
  document.querySelector(".buttons:not([hidden]) button").focus(); // its own button is gone
  (await widget).identify(userToken); // who is here has changed, and no page was loaded anew
}

const shop = await (await fetch("/me")).json();
show(shop);
const widget = embed(shop.widget);
for (const button of document.querySelectorAll("[data-post]")) {
  button.addEventListener("click", () => post(button, widget));
}
