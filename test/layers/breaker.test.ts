import { beforeEach, describe, expect, it } from "vitest";
import type { RoutedCall, Service } from "../../src/core/call.ts";
import { Failure, type FailureKind, toFailure } from "../../src/core/failure.ts";
import type { Reply } from "../../src/core/reply.ts";
import { breaker } from "../../src/layers/breaker.ts";
import { Circuits } from "../../src/resilience/circuits.ts";
import { attemptOf, replyOf, routedCallOf, spoken, TARGET } from "../support/call.ts";
import { CIRCUIT_RULE } from "../support/circuit.ts";
import { VirtualClock } from "../support/clock.ts";

let clock: VirtualClock;
let circuits: Circuits;
let sent: number;
/** What becomes of the next call. */
let outcome: () => Promise<Reply>;
let service: Service<RoutedCall>;
beforeEach(() => {
  clock = new VirtualClock();
  circuits = new Circuits(clock, () => {});
  sent = 0;
  outcome = succeed;
  service = breaker(
    circuits,
    () => CIRCUIT_RULE,
    clock,
  )(() => {
    sent++;
    return outcome();
  });
});

const succeed = () => Promise.resolve(replyOf(spoken(["Hello"])));
const failBy = (kind: FailureKind) => () => Promise.reject(new Failure(kind, "no"));
const ask = () => service(routedCallOf());

function failureOf(call: Promise<Reply>): Promise<Failure> {
  return call.then(() => expect.fail("nothing failed"), toFailure);
}

/** Opens the model's circuit alone, or the provider's too. */
function open(whole: boolean): void {
  const fine = attemptOf({ outcome: "ok", model: "another" });
  if (!whole) for (let n = 0; n < 20; n++) circuits.settled(fine, CIRCUIT_RULE);
  const failed = attemptOf({ outcome: "failed", failureKind: "provider_error", priceVersion: "1" });
  for (let n = 0; n < 10; n++) circuits.settled(failed, CIRCUIT_RULE);
}

describe("a call to an open circuit is refused, unsent,", () => {
  it.each([
    [true, "openai fails, and is left alone until it serves again"],
    [false, "openai/gpt-4o fails, and is left alone until it serves again"],
  ])("and told who fails and when it is tried again: provider %s", async (whole, message) => {
    open(whole);
    await clock.advance(10_000);
    const failure = await failureOf(ask());
    expect(failure).toMatchObject({ kind: "circuit_open", message, retryAfterMs: 20_000 });
    expect(sent).toBe(0);
  });

  it("and told that an operator did it", async () => {
    circuits.ofModel(TARGET).set("open");
    const failure = await failureOf(ask());
    expect(failure.message).toBe("nothing is sent to openai/gpt-4o: its circuit was opened by hand");
    expect(failure.retryAfterMs).toBeUndefined();
  });
});

describe.each([["provider"], ["model"]])("once the circuit of a %s is half open", (whose) => {
  beforeEach(async () => {
    open(whose === "provider");
    await clock.advance(30_000);
  });

  it("one call goes through, and its first event closes it", async () => {
    await ask();
    expect(circuits.stateOf(TARGET)).toBe("closed");
    await ask();
    expect(sent).toBe(2);
  });

  it("a call beside the probe is refused", async () => {
    const held = Promise.withResolvers<Reply>();
    outcome = () => held.promise;
    expect(circuits.awaitsProbe(TARGET)).toBe(true);
    const probe = ask();
    expect(circuits.awaitsProbe(TARGET)).toBe(false);
    expect(await failureOf(ask())).toMatchObject({ kind: "circuit_open" });
    held.resolve(await succeed());
    await probe;
    expect(sent).toBe(1);
  });

  describe("a batch, which is answered within a day,", () => {
    let seen: RoutedCall;
    const batch = (where?: string) => {
      const { promise } = Promise.withResolvers<Reply>();
      const asked = breaker(
        circuits,
        () => CIRCUIT_RULE,
        clock,
      )((call) => {
        seen = call;
        return promise;
      });
      const call = routedCallOf({ request: { parameters: { serviceTier: "batch" } } });
      void asked({
        ...call,
        parking: { parked: where === undefined ? undefined : { where }, park: async () => {} },
      });
    };

    it("is a probe only until the provider has taken it", async () => {
      batch();
      expect(await failureOf(ask())).toMatchObject({ kind: "circuit_open" });
      await seen.parking?.park({ where: "somewhere" });
      expect(circuits.stateOf(TARGET)).toBe("closed");
      await ask();
      expect(sent).toBe(1);
    });

    it("and was sent before, is none", async () => {
      batch("somewhere");
      expect(circuits.awaitsProbe(TARGET)).toBe(true);
      await ask();
      expect(circuits.stateOf(TARGET)).toBe("closed");
    });
  });

  it("a probe that fails opens it for as long again", async () => {
    outcome = failBy("provider_error");
    expect(await failureOf(ask())).toMatchObject({ kind: "provider_error" });
    expect(await failureOf(ask())).toMatchObject({ kind: "circuit_open", retryAfterMs: 30_000 });
    await clock.advance(30_000);
    outcome = succeed;
    await ask();
    expect(circuits.stateOf(TARGET)).toBe("closed");
  });

  it.each<FailureKind>([
    "invalid_request",
    "cancelled",
    "hedge_lost",
    "budget_exceeded",
    "deadline_exceeded",
    "internal",
  ])("a probe that ends by %s tells nothing, and gives its place to the next", async (kind) => {
    outcome = failBy(kind);
    for (let n = 0; n < 5; n++) expect(await failureOf(ask())).toMatchObject({ kind });
    expect(circuits.stateOf(TARGET)).toBe("half_open");
    outcome = succeed;
    await ask();
    expect(circuits.stateOf(TARGET)).toBe("closed");
  });

  it("a probe whose caller did not want to wait for as long tells nothing either", async () => {
    outcome = () => Promise.reject(new Failure("provider_timeout", "no", { impatient: true }));
    for (let n = 0; n < 2; n++) expect(await failureOf(ask())).toMatchObject({ kind: "provider_timeout" });
    outcome = succeed;
    await ask();
    expect(circuits.stateOf(TARGET)).toBe("closed");
  });

  it("a probe that throws at once gives its place back", async () => {
    outcome = () => {
      throw new Error("a defect");
    };
    await expect(ask()).rejects.toThrow("a defect");
    outcome = succeed;
    await ask();
    expect(circuits.stateOf(TARGET)).toBe("closed");
  });
});

it("a model that refuses takes no place of its provider's probes", async () => {
  open(true);
  circuits.ofModel(TARGET).set("open");
  await clock.advance(30_000);
  for (let n = 0; n < 3; n++) await failureOf(ask());
  await service(routedCallOf({ target: { provider: "openai", model: "another" } }));
  expect(circuits.provider("openai").state).toBe("closed");
  expect(sent).toBe(1);
});

it("a probe of a model that the keys may not use tells nothing of the provider", async () => {
  open(true);
  await clock.advance(30_000);
  outcome = failBy("provider_permission");
  await failureOf(ask());
  expect(circuits.provider("openai").state).toBe("half_open");
  expect(circuits.model(TARGET)?.state).toBe("open");
  outcome = succeed;
  await service(routedCallOf({ target: { provider: "openai", model: "another" } }));
  expect(circuits.provider("openai").state).toBe("closed");
});
