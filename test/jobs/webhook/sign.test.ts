import { randomBytes } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { describe, expect, it } from "vitest";
import { readSecrets, signatureHeaders } from "../../../src/jobs/webhook/sign.ts";

const secretOf = (bytes: number) => `whsec_${randomBytes(bytes).toString("base64")}`;
const NAME = "LLMGATEWAY_WEBHOOK_SECRET";

describe("the signature", () => {
  const [older, newer] = [secretOf(32), secretOf(64)];
  const body = JSON.stringify({ type: "job.completed", data: { text: "Grüße 🚀" } });
  const headers = signatureHeaders("0198-id", Date.now(), body, [older, newer]);

  it("is accepted by receivers with either secret", () => {
    expect(new Webhook(older).verify(body, headers)).toEqual(JSON.parse(body));
    expect(new Webhook(newer).verify(body, headers)).toEqual(JSON.parse(body));
    expect(headers["webhook-signature"]?.split(" ")).toHaveLength(2);
  });

  it.each([
    ["another body", body.replace("completed", "failed"), headers],
    ["another id", body, { ...headers, "webhook-id": "0198-other" }],
    ["another time", body, { ...headers, "webhook-timestamp": String(Math.floor(Date.now() / 1000) - 7) }],
  ])("does not go for %s", (_, other, otherHeaders) => {
    expect(() => new Webhook(older).verify(other, otherHeaders)).toThrow("No matching signature");
  });

  it("says nothing to a stranger", () => {
    expect(() => new Webhook(secretOf(32)).verify(body, headers)).toThrow("No matching signature");
  });
});

describe("secrets", () => {
  it("are read from a variable, one or several", () => {
    const [one, two] = [secretOf(24), secretOf(64)];
    expect(readSecrets(one, NAME)).toEqual([one]);
    expect(readSecrets(` ${one} ,${two}`, NAME)).toEqual([one, two]);
    expect(readSecrets(" ", NAME)).toEqual([]);
  });

  it.each([
    ["too short", secretOf(23)],
    ["too long", secretOf(65)],
    ["without its prefix", randomBytes(32).toString("base64")],
    ["without its padding", secretOf(32).replace("=", "")],
    ["in base64url", `whsec_${"-_-_".repeat(10)}`],
    ["with spare bits", `whsec_${"A".repeat(42)}B=`],
    ["followed by an empty one", `${secretOf(32)},`],
    ["beside a good one", `${secretOf(32)},whsec_hunter2hunter2`],
  ])("that are %s are refused by the variable's name, and not shown", (_, text) => {
    const refusal = (() => {
      try {
        return String(readSecrets(text, NAME));
      } catch (error) {
        return error as Error;
      }
    })();
    expect(refusal).toBeInstanceOf(Error);
    const { message } = refusal as Error;
    expect(message).toContain(`${NAME}: `);
    for (const part of text.split(",")) if (part) expect(message).not.toContain(part.replace("whsec_", ""));
  });

  it("tells which of several is bad", () => {
    expect(() => readSecrets(`${secretOf(32)},nonsense`, NAME)).toThrow("its secret number 2 must be whsec_");
  });
});
