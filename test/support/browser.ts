/** A real Chromium without a window, for what is served to browsers. It is never downloaded. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, launch as launchBrowser } from "puppeteer-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];

/** Absent when none is installed. Where one must be, `launch` then fails. */
export function chromiumPath(): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return folders.flatMap((folder) => NAMES.map((name) => join(folder, name))).find(isExecutable);
}

/** Whether to test in it; where there is none, says once that `what` is not tested. Under CI there must be one. */
export function canBrowse(what: string): boolean {
  if (chromiumPath() !== undefined || process.env.CI === "true") return true;
  console.warn(`${what} is not tested: Chromium is not installed`);
  return false;
}

export function launch(): Promise<Browser> {
  const executablePath = chromiumPath();
  if (!executablePath) throw new Error(`none of ${NAMES.join(", ")} is on the PATH`);
  // Chromium's sandbox refuses to work for root, who runs tests in containers.
  const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  return launchBrowser({ executablePath, args });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
