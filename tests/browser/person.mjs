// A person with a browser and a passkey. Reads commands as JSON, one a line, and answers each with one
// line: {"ok": …} or {"error": "…"}. One process is one person: one profile, one authenticator.
//
//   {"do": "enrol", "url": "http://localhost:7443/enrol#code=…", "name": "Mara"}
//   {"do": "sign-in", "url": "http://localhost:7443/sign-in"}
//   {"do": "approve", "url": "…/holds/hold_…", "choice": 0}      choice: omitted means the last, as asked
//   {"do": "deny", "url": "…/holds/hold_…", "reason": "…"}
//   {"do": "judge", "url": "…/holds/judge?ids=…", "decision": "approve", "tick": ["hold_…"]}
//   {"do": "accept", "url": "…/proposals/prop_…"}   {"do": "refuse", "url": "…"}
//   {"do": "add-passkey", "url": "…/passkeys"}      answers where the browser is then
//   {"do": "freeze", "url": "…/", "reason": "…"}   {"do": "cancel", "url": "…/holds/hold_…"}
//   {"do": "read", "url": "…"}                                   answers title and text
//   {"do": "evaluate", "url": "…", "expression": "…"}            without url: where the browser is
//   {"do": "screenshot", "url": "…", "width": 360, "path": "…", "dark": false}
//   {"do": "absent"}, {"do": "present"}                          whether the authenticator verifies

import { createInterface } from "node:readline";
import { writeFile } from "node:fs/promises";
import { Chromium } from "./chromium.mjs";

const browser = await Chromium.start();
const page = await browser.page();
const quote = JSON.stringify;

// Fills in a form, waits until its button may be pressed, presses, and waits for what comes of it:
// another page, or the problem that is said beside the button.
async function press(form, button, fields = {}) {
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    const field = `document.querySelector(${quote(`${form} [name=${name}]`)})`;
    await page.evaluate(`${field}.value = ${quote(value)}`);
  }
  const found = `document.querySelector(${quote(`${form} ${button}`)})`;
  await page.until(`document.readyState === "complete"`, "the page is loaded");
  if (!await page.evaluate(`Boolean(${found})`)) throw new Error(`there is no ${form} ${button}`);
  await page.until(`!${found}.disabled`, `${form} ${button} can be pressed`);
  await page.evaluate(`window.before = true, ${found}.click()`);
  const problem = `document.querySelector(${quote(`${form} .problem`)})?.textContent`;
  await page.until(`!window.before || ${problem}`, "something comes of it");
  const said = await page.evaluate(`window.before && ${problem}`);
  if (said) throw new Error(said);
  await page.until(`document.readyState === "complete"`, "the next page is loaded");
  return page.evaluate("location.href");
}

async function formsOf(wish) {
  const texts = await page.evaluate(
    "[...document.querySelectorAll('form[data-ceremony]')].map((form) => form.dataset.ceremony)");
  const forms = texts.map((text, index) => ({ index, ...JSON.parse(text) }));
  const fits = forms.filter((form) => Object.entries(wish).every(([key, value]) => form[key] === value));
  if (fits.length === 0) throw new Error(`the page doesn't offer ${quote(wish)}`);
  return fits;
}

// The page marks its forms, so that one can be named by a selector.
async function select(form) {
  await page.evaluate(
    `document.querySelectorAll("form[data-ceremony]")[${form.index}].dataset.chosen = "yes"`);
  return "form[data-chosen]";
}

async function perform(wish, fields, which = (forms) => forms.at(-1)) {
  const form = which(await formsOf(wish));
  if (!form) throw new Error("there is no such choice");
  return press(await select(form), "button", fields);
}

const commands = {
  enrol: ({ name }) => perform({ wish: "enrol" }, { name }),
  "sign-in": () => perform({ wish: "sign_in" }),
  approve: ({ choice }) => perform({ wish: "judge", decision: "approve" }, {}, (forms) =>
    choice === undefined ? forms.at(-1) : forms.find((form) => form.holds[0][1] === choice)),
  deny: ({ reason }) => perform({ wish: "judge", decision: "deny" }, { reason }),
  accept: () => perform({ wish: "settle", decision: "approve" }),
  refuse: () => perform({ wish: "settle", decision: "deny" }),
  join: ({ name }) => perform({ wish: "join" }, { name }),
  "add-passkey": () => perform({ wish: "add_authenticator" }, {}),
  freeze: ({ reason }) => press("form.freeze", "button", { reason }),
  cancel: () => press("form.cancel", "button"),
  async judge({ decision, tick, reason }) {
    for (const hold of tick) {
      await page.evaluate(`document.querySelector('[value="${hold}"]').checked = true`);
    }
    return press("form.joint", `button[value=${decision}]`, { reason });
  },
  read: () => page.evaluate("({ title: document.title, text: document.body.innerText })"),
  evaluate: ({ expression }) => page.evaluate(expression),
  async screenshot({ width, path, dark }) {
    await writeFile(path, await page.screenshot(width, dark));
    return path;
  },
  absent: () => verifies(false),
  present: () => verifies(true),
};

async function verifies(isUserVerified) {
  const { authenticator: authenticatorId } = page;
  await page.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified });
  return isUserVerified;
}

async function obey(line) {
  const command = JSON.parse(line);
  const act = commands[command.do];
  if (!act) throw new Error(`unknown command ${quote(command.do)}`);
  if (command.url) await page.open(command.url);
  return await act(command) ?? null;
}

for await (const line of createInterface({ input: process.stdin })) {
  if (!line.trim()) continue;
  const answer = await obey(line).then((ok) => ({ ok }), (error) => ({ error: error.message }));
  process.stdout.write(`${quote(answer)}\n`);
}
await browser.close();
