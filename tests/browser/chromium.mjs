// A headless Chromium of our own, spoken to over a pipe by the DevTools protocol: no packages, no port.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PROGRAM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const ANSWER_WITHIN_MS = 30_000;

const flags = (profile) => [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
  "--disable-default-apps", "--disable-extensions", "--disable-dev-shm-usage",
  "--remote-debugging-pipe", `--user-data-dir=${profile}`, "about:blank",
];

export class Chromium {
  #child; #profile; #next = 1; #waiting = new Map(); #listeners = []; #rest = "";

  static async start() {
    const browser = new Chromium();
    browser.#profile = await mkdtemp(join(tmpdir(), "tagout-person-"));
    browser.#child = spawn(PROGRAM, flags(browser.#profile), {
      stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
    });
    browser.#child.on("error", (error) => browser.#fail(error));
    browser.#child.on("exit", () => browser.#fail(new Error("the browser ended")));
    browser.#child.stdio[3].on("error", (error) => browser.#fail(error));
    browser.#child.stdio[4].setEncoding("utf8").on("data", (text) => browser.#read(text));
    return browser;
  }

  #fail(error) {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  // Messages are JSON, each ended by a zero byte.
  #read(text) {
    const parts = (this.#rest + text).split("\0");
    this.#rest = parts.pop();
    for (const part of parts) this.#take(JSON.parse(part));
  }

  #take(message) {
    const waiting = this.#waiting.get(message.id);
    if (!waiting) return this.#listeners.forEach((listener) => listener(message));
    this.#waiting.delete(message.id);
    if (message.error) waiting.reject(new Error(message.error.message));
    else waiting.resolve(message.result);
  }

  send(method, params = {}, sessionId = undefined) {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      const late = setTimeout(() => {
        if (this.#waiting.delete(id)) reject(new Error(`no answer to ${method}`));
      }, ANSWER_WITHIN_MS);
      late.unref();
      this.#child.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
  }

  listen(listener) {
    this.#listeners.push(listener);
  }

  // A page with an authenticator plugged in, in front of which the person always is.
  async page() {
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    const page = new Page(this, sessionId);
    await page.send("Page.enable");
    await page.send("Runtime.enable");
    await page.send("WebAuthn.enable");
    const { authenticatorId } = await page.send("WebAuthn.addVirtualAuthenticator", { options: {
      protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true,
      isUserVerified: true, automaticPresenceSimulation: true,
    } });
    page.authenticator = authenticatorId;
    return page;
  }

  async close() {
    const gone = once(this.#child, "exit");
    await this.send("Browser.close").catch(() => this.#child.kill());
    await gone;
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

export class Page {
  #browser; #session;

  constructor(browser, session) {
    this.#browser = browser;
    this.#session = session;
  }

  send(method, params) {
    return this.#browser.send(method, params, this.#session);
  }

  // Opens an address and waits until it is loaded.
  async open(url) {
    const loaded = this.#loaded();
    const { errorText } = await this.send("Page.navigate", { url });
    if (errorText) throw new Error(`${url}: ${errorText}`);
    await loaded;
  }

  #loaded() {
    return new Promise((resolve) => {
      let open = true;
      this.#browser.listen((message) => {
        const ours = message.sessionId === this.#session && message.method === "Page.loadEventFired";
        if (open && ours) { open = false; resolve(); }
      });
    });
  }

  // The value of an expression in the page; promises are awaited.
  async evaluate(expression) {
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", {
      expression, awaitPromise: true, returnByValue: true, userGesture: true,
    });
    if (exceptionDetails) {
      throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    }
    return result.value;
  }

  // Waits until an expression is true, also across page loads.
  async until(expression, what, withinMs = 15_000) {
    const end = Date.now() + withinMs;
    while (Date.now() < end) {
      if (await this.evaluate(expression).catch(() => false)) return;
      await new Promise((done) => { setTimeout(done, 50); });
    }
    throw new Error(`waited in vain until ${what}`);
  }

  async screenshot(width, dark = false) {
    await this.send("Emulation.setEmulatedMedia", {
      features: [{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }],
    });
    await this.send("Emulation.setDeviceMetricsOverride", {
      width, height: 800, deviceScaleFactor: 1, mobile: width < 600,
    });
    const { data } = await this.send("Page.captureScreenshot", { captureBeyondViewport: true });
    await this.send("Emulation.clearDeviceMetricsOverride");
    return Buffer.from(data, "base64");
  }
}
