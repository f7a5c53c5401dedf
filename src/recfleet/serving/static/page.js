// What every page does: elements, questions to the service, and who is signed in.

export const at = (id) => document.getElementById(id);

// An element; text is never markup.
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined && value !== false)
      made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

export class Problem extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

const KEPT = "recfleet.key"; // until the tab is closed

let key = null;

// Who the key belongs to: tenant, tenant_name, scopes.
export let own = null;

export async function ask(path, { body, signal } = {}) {
  let response;
  try {
    response = await fetch(path, {
      method: body === undefined ? "GET" : "POST",
      headers: {
        ...(key === null ? {} : { Authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal,
      cache: "no-store",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "The service does not answer: check the connection, then try again.");
  }
  let told = null;
  try {
    told = await response.json();
  } catch {
    // not from the service
  }
  if (!response.ok)
    throw new Problem(response.status, told?.detail ?? `The service answered ${response.status}.`);
  return told;
}

export const askTenant = (path, more) =>
  ask(`/v1/tenants/${encodeURIComponent(own.tenant)}/${path}`, more);

export function say(text) {
  at("status").textContent = text;
}

export function complain(error) {
  if (error?.name === "AbortError") return;
  if (error?.status === 401) signOut();
  at("trouble").textContent = error?.message ?? "";
  at("trouble").hidden = !error;
  if (error !== null && !(error instanceof Problem)) throw error;
}

function show() {
  const isIn = own !== null;
  at("sign-in").hidden = isIn || at("signed-in") === null;
  if (at("signed-in") !== null) at("signed-in").hidden = !isIn;
  at("who").hidden = !isIn;
  at("tenant").textContent = isIn ? own.tenant_name : "";
}

function signOut() {
  key = null;
  own = null;
  sessionStorage.removeItem(KEPT);
  show();
}

// Signs in with the key of this tab or of the form, then begins.
export async function signIn(begin) {
  async function use(text) {
    key = text;
    own = await ask("/v1/key");
    sessionStorage.setItem(KEPT, text);
    complain(null);
    show();
    await begin();
  }
  at("sign-out").addEventListener("click", () => {
    signOut();
    location.assign(location.pathname);
  });
  at("sign-in").addEventListener("submit", (event) => {
    event.preventDefault();
    use(at("key").value.trim())
      .then(() => (at("key").value = ""))
      .catch(complain);
  });
  const kept = sessionStorage.getItem(KEPT);
  if (kept !== null) await use(kept).catch(complain);
  show();
}

// An id of 128 random bits.
export function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Only the last of several questions matters: a new one ends the one before.
export function latest() {
  let before = null;
  return () => {
    before?.abort();
    before = new AbortController();
    return before.signal;
  };
}
