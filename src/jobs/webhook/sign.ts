/** The signature of a webhook, as Standard Webhooks has it, and the secrets for it. It sends nothing. */
import { Webhook } from "standardwebhooks";

const SECRET = /^whsec_([A-Za-z0-9+/]+={0,2})$/;
/** As Standard Webhooks wants them. */
const SECRET_BYTES = { least: 24, most: 64 };

/**
 * @param body as it is sent, to the byte
 * @param secrets at least one; each signs, so that receivers can go from one to another
 */
export function signatureHeaders(
  webhookId: string,
  atMs: number,
  body: string,
  secrets: readonly string[],
): Record<string, string> {
  const at = new Date(atMs);
  return {
    "webhook-id": webhookId,
    "webhook-timestamp": String(Math.floor(atMs / 1000)),
    "webhook-signature": secrets.map((secret) => new Webhook(secret).sign(webhookId, at, body)).join(" "),
  };
}

/**
 * The secrets in a variable's text, separated by commas; none when it is empty.
 *
 * @param name the variable's
 * @throws Error that names the variable and the place in it, and repeats nothing of the text
 */
export function readSecrets(text: string, name: string): readonly string[] {
  if (text.trim() === "") return [];
  const secrets = text.split(",").map((part) => part.trim());
  const bad = secrets.findIndex((secret) => !isSecret(secret));
  if (bad < 0) return secrets;
  const which = secrets.length === 1 ? "" : `its secret number ${bad + 1} `;
  const { least, most } = SECRET_BYTES;
  throw new Error(
    `${name}: ${which}must be whsec_ and the base64 of ${least} to ${most} random bytes, as "openssl rand -base64 32" makes it`,
  );
}

function isSecret(text: string): boolean {
  const encoded = SECRET.exec(text)?.[1] ?? "";
  const bytes = Buffer.from(encoded, "base64");
  const { least, most } = SECRET_BYTES;
  // Receivers' libraries do not forgive what Node does, such as padding that is left out.
  return bytes.toString("base64") === encoded && bytes.length >= least && bytes.length <= most;
}
