import { existsSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { chromium } from "playwright-core";
import { Service } from "./support/service.ts";

const BROWSER = "/usr/bin/chromium";
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

test("the page at /docs shows every operation in a browser and asks nobody but its own server", async () => {
  if (!existsSync(BROWSER)) {
    // Where CI runs, a browser is installed; elsewhere this cannot be shown.
    expect(process.env.CI ?? "").toBe("");
    console.info(`skipped: there is no ${BROWSER} on this machine`);
    return;
  }
  await using service = await Service.start({ nodes: 0 });
  const browser = await chromium.launch({ executablePath: BROWSER, args: FLAGS });
  try {
    const page = await browser.newPage();
    const asked: string[] = [];
    const errors: string[] = [];
    page.on("request", (request) => void asked.push(request.url()));
    page.on("pageerror", (error) => void errors.push(error.message));
    page.on("console", (message) => void (message.type() === "error" && errors.push(message.text())));
    await page.goto(`${service.url}/docs`);
    await page.locator("#operations-tasks-createTask").waitFor({ timeout: 30_000 });
    expect(await page.locator(".opblock").count()).toBeGreaterThan(20);
    await page.locator("#operations-tasks-createTask").click();
    await page.getByText("A red fox in the snow", { exact: false }).first().waitFor({ timeout: 10_000 });
    expect(asked.length).toBeGreaterThan(3);
    expect(asked.filter((url) => !url.startsWith(service.url) && !url.startsWith("data:"))).toEqual([]);
    expect(errors).toEqual([]);
  } finally {
    await browser.close();
  }
}, 90_000);
