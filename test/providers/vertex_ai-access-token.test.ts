/** Tokens are kept, renewed once for all, and let go when Google refuses them. */
import { expect, test } from "vitest";
import { Failure } from "../../src/core/failure.ts";
import type { Proof } from "../../src/providers/credentials.ts";
import { accessTokenCredentials } from "../../src/providers/vertex_ai/access_token.ts";
import { VirtualClock } from "../support/clock.ts";

const OUTGOING = { path: "/", body: "" };
const HOUR_MS = 3_600_000;

/** Gives token-1, token-2 and so on, each for an hour, unless it shall fail. */
function counted(clock: VirtualClock) {
  const state = { asked: 0, fails: false };
  const source = async () => {
    state.asked++;
    if (state.fails) throw new Failure("provider_auth", "no token");
    return { token: `token-${state.asked}`, expiresAtMs: clock.now() + HOUR_MS };
  };
  return { state, credentials: accessTokenCredentials(source, clock) };
}

const bearer = ({ headers }: Proof) => headers.authorization;

test("callers at the same time share one request, and later ones its token", async () => {
  const { state, credentials } = counted(new VirtualClock());
  const proofs = await Promise.all([1, 2, 3].map(() => credentials.prove(OUTGOING)));
  expect(proofs.map(bearer)).toEqual(["Bearer token-1", "Bearer token-1", "Bearer token-1"]);
  const kept = credentials.prove(OUTGOING);
  expect(kept).not.toBeInstanceOf(Promise);
  expect(kept).toMatchObject({ secret: "token-1" });
  expect(state.asked).toBe(1);
});

test("the project whose quota is used goes with the token, unless the configuration names another", async () => {
  const token = { token: "t", expiresAtMs: HOUR_MS, quotaProject: "paying-project" };
  const headersBeside = async (headers: Record<string, string>) =>
    (await accessTokenCredentials(async () => token, new VirtualClock(0), headers).prove(OUTGOING)).headers;
  const authorization = "Bearer t";
  expect(await headersBeside({})).toEqual({ authorization, "x-goog-user-project": "paying-project" });
  expect(await headersBeside({ "X-Goog-User-Project": "other" })).toEqual({ authorization });
});

test("a token is renewed before it ends, and nobody waits for that", async () => {
  const clock = new VirtualClock();
  const { state, credentials } = counted(clock);
  await credentials.prove(OUTGOING);
  await clock.advance(HOUR_MS - 240_001);
  credentials.prove(OUTGOING);
  expect(state.asked).toBe(1);
  await clock.advance(2);
  const old = [credentials.prove(OUTGOING), credentials.prove(OUTGOING)];
  expect(old).toMatchObject([{ secret: "token-1" }, { secret: "token-1" }]);
  expect(state.asked).toBe(2);
  await clock.advance(0);
  expect(credentials.prove(OUTGOING)).toMatchObject({ secret: "token-2" });
});

test("while no new one is to be had the old one serves to its end, and then the failure is told", async () => {
  const clock = new VirtualClock();
  const { state, credentials } = counted(clock);
  await credentials.prove(OUTGOING);
  state.fails = true;
  await clock.advance(HOUR_MS - 1);
  expect(credentials.prove(OUTGOING)).toMatchObject({ secret: "token-1" });
  await clock.advance(1);
  await expect(credentials.prove(OUTGOING)).rejects.toMatchObject({ kind: "provider_auth" });
  state.fails = false;
  expect(await credentials.prove(OUTGOING)).toMatchObject({ secret: "token-4" });
});

test("a token that Google refuses is let go, but not again and again", async () => {
  const clock = new VirtualClock();
  const { state, credentials } = counted(clock);
  const refuse = async (kind: "provider_auth" | "provider_rate_limited") =>
    (await credentials.prove(OUTGOING)).onFailure?.(new Failure(kind, "no"));
  await refuse("provider_auth");
  await credentials.prove(OUTGOING);
  expect(state.asked).toBe(1);
  await clock.advance(60_000);
  await refuse("provider_rate_limited");
  await credentials.prove(OUTGOING);
  expect(state.asked).toBe(1);
  await refuse("provider_auth");
  expect(await credentials.prove(OUTGOING)).toMatchObject({ secret: "token-2" });
});

test("a token that is refused after the clock was set back is let go", async () => {
  const clock = new VirtualClock();
  const { credentials } = counted(clock);
  await credentials.prove(OUTGOING);
  clock.step(-24 * HOUR_MS);
  await clock.advance(HOUR_MS);
  (await credentials.prove(OUTGOING)).onFailure?.(new Failure("provider_auth", "no"));
  expect(await credentials.prove(OUTGOING)).toMatchObject({ secret: "token-2" });
});

test("what became of an old token says nothing about the new one", async () => {
  const clock = new VirtualClock();
  const { credentials } = counted(clock);
  const old = await credentials.prove(OUTGOING);
  await clock.advance(HOUR_MS);
  await credentials.prove(OUTGOING);
  await clock.advance(60_000);
  old.onFailure?.(new Failure("provider_auth", "no"));
  expect(credentials.prove(OUTGOING)).toMatchObject({ secret: "token-2" });
});
