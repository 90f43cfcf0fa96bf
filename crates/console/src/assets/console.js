// Passkeys and news. Everything else on these pages works without a script.
"use strict";

const ARM_AFTER_MS = 600;
const ASK_EVERY_MS = 2000;

const toBytes = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));

const toText = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

async function post(path, body) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const said = await answer.json();
  if (!answer.ok) {
    const error = said.errors[0];
    throw new Error(error.hint ? `${error.detail} (${error.hint})` : error.detail);
  }
  return said;
}

async function create(ceremony) {
  const [handle, name] = ceremony.user;
  const made = await navigator.credentials.create({ publicKey: {
    challenge: toBytes(ceremony.challenge),
    rp: { id: ceremony.rp_id, name: "Tagout" },
    user: { id: toBytes(handle), name, displayName: name },
    pubKeyCredParams: [{ type: "public-key", alg: -7 }],
    authenticatorSelection: { residentKey: "required", userVerification: "required" },
    attestation: "none",
  } });
  return { created: {
    credential: made.id,
    attestation: toText(made.response.attestationObject),
    client_data: toText(made.response.clientDataJSON),
  } };
}

async function sign(ceremony) {
  const made = await navigator.credentials.get({ publicKey: {
    challenge: toBytes(ceremony.challenge),
    rpId: ceremony.rp_id,
    allowCredentials: ceremony.credentials.map((id) => ({ type: "public-key", id: toBytes(id) })),
    userVerification: "required",
  } });
  return { signed: {
    credential: made.id,
    authenticator_data: toText(made.response.authenticatorData),
    client_data: toText(made.response.clientDataJSON),
    signature: toText(made.response.signature),
  } };
}

// What the form asks for: the wish written on it, and what the person filled in.
function wishOf(form, pressed) {
  const wish = JSON.parse(form.dataset.ceremony);
  for (const input of form.querySelectorAll("input[name=code], input[name=name], input[name=reason]")) {
    if (input.value || input.required) wish[input.name] = input.value;
  }
  if (pressed?.name === "decision") Object.assign(wish, ticked(form, pressed.value));
  return wish;
}

// Of a joint card: the ticked holds, each with its chosen way.
function ticked(form, decision) {
  const holds = [];
  const shown = [];
  for (const tick of form.querySelectorAll("input[name=hold]:checked")) {
    const way = form.querySelector(`input[name="choice-${tick.value}"]:checked:not(:disabled)`);
    if (decision === "approve" && !way) throw new Error("one of the ticked can't be approved here");
    holds.push([tick.value, Number(way?.value ?? 0)]);
    shown.push(way?.dataset.shown);
  }
  if (holds.length === 0) throw new Error("tick what you mean first");
  return decision === "approve" ? { holds, decision, shown } : { holds, decision };
}

// Where to go afterwards.
function nextOf(form, settled) {
  if (form.dataset.next === "proposal") return `/proposals/${settled.proposal[0]}`;
  if (form.dataset.next !== "rest") return form.dataset.next;
  const rest = [...form.querySelectorAll("input[name=hold]:not(:checked)")].map((tick) => tick.value);
  return rest.length ? `/holds/judge?ids=${rest.join(",")}` : "/";
}

async function perform(form, pressed) {
  const ceremony = await post("/api/v1/ceremonies", wishOf(form, pressed));
  const answer = await (ceremony.kind === "create" ? create(ceremony) : sign(ceremony));
  const settled = await post(`/api/v1/ceremonies/${ceremony.id}`, answer);
  stale = true;
  location.assign(nextOf(form, settled));
}

const buttons = () => document.querySelectorAll("form[data-ceremony] button");
let stale = false;

// Saying no is never taken away by news; saying yes is.
const mayPress = (button) => !stale || button.classList.contains("always");

function arm() {
  setTimeout(() => buttons().forEach((button) => { button.disabled = !mayPress(button); }), ARM_AFTER_MS);
}

function disarm() {
  buttons().forEach((button) => { button.disabled = true; });
}

async function submitted(event) {
  event.preventDefault();
  const form = event.target;
  const problem = form.querySelector(".problem");
  problem.textContent = "";
  disarm();
  try {
    await perform(form, event.submitter);
  } catch (error) {
    problem.textContent = error.name === "NotAllowedError"
      ? "The passkey was not used, so nothing was decided." : error.message;
    arm();
  }
}

// News come as a bar on top: nothing moves under anyone's finger, and what is out of date can't be
// approved any more.
async function ask() {
  const answer = await fetch(document.body.dataset.watch);
  if (answer.status === 404) return tell("This is gone. ");
  const standing = await answer.json();
  if (!standing.signed_in) return tell("You are signed out. ");
  if (standing.mark !== document.body.dataset.mark) tell("Something changed. ");
}

function tell(what) {
  if (stale) return;
  stale = true;
  buttons().forEach((button) => { if (!mayPress(button)) button.disabled = true; });
  const link = document.createElement("a");
  link.href = location.href;
  link.textContent = "Show it as it is now";
  document.getElementById("news").replaceChildren(what, link);
}

async function watch() {
  while (!stale) {
    await new Promise((done) => { setTimeout(done, ASK_EVERY_MS); });
    if (!document.hidden) await ask().catch(() => {});
  }
}

// A link from elsewhere arrives without the cookie; the next step from here carries it.
async function skipIfSignedIn() {
  const form = document.querySelector("form[data-skip-if-signed-in]");
  if (!form) return;
  const standing = await (await fetch("/api/v1/standing")).json();
  if (standing.signed_in) location.replace(form.dataset.next);
}

function takeCodeFromLink() {
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  const input = document.querySelector("input[name=code]");
  if (code && input) input.value = code;
  if (input) history.replaceState(null, "", location.pathname);
}

document.querySelectorAll("form[data-ceremony]").forEach((form) => {
  form.addEventListener("submit", submitted);
});
takeCodeFromLink();
arm();
skipIfSignedIn().catch(() => {});
if (document.body.dataset.watch) watch();
