/** ETags of bodies that stay as they are, so that whoever has one already need not get it again. */
import { hash } from "node:crypto";
import type { NodeRequest } from "./node.ts";

/** Weak, since the bytes sent are compressed in one way or another. */
export function etagOf(body: string): string {
  return `W/"${hash("sha256", body, "base64url")}"`;
}

/** Whether the caller says that it has this one. */
export function hasAlready({ headers }: NodeRequest, etag: string): boolean {
  const known = headers["if-none-match"]?.split(",").map((one) => one.trim()) ?? [];
  return known.includes(etag) || known.includes("*");
}
