// What a visitor reads.

/** Every sentence that a visitor can meet; `init({strings})` replaces any of them. */
const STRINGS = {
  title: "Chat",
  close: "Close chat",
  message: "Write a message…",
  send: "Send",
  guest: "You're chatting as a guest",
  user: "You're signed in as {name}",
  no_line: "This agent can't take messages yet.",
  not_delivered: "That message wasn't delivered. Try again.",
  please_sign_in: "Please sign in to chat.",
  not_signed_in: "We couldn't confirm your sign-in.",
  retrying: "The chat can't be reached. Trying again…",
  refused: "The chat can't start here.",
  origin_not_allowed: "This site isn't on the allowlist.",
};
