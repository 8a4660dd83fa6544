import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../../src/core/clock.ts";
import type { WebhookRules } from "../../../src/jobs/webhook/allow.ts";
import { type Outcome, post } from "../../../src/jobs/webhook/post.ts";
import { VERSION } from "../../../src/version.ts";
import type { Resolve } from "../../../src/wire/destination.ts";
import { canMakeCertificates, makeCertificate } from "../../support/certificate.ts";
import { VirtualClock } from "../../support/clock.ts";
import { freePort } from "../../support/free-port.ts";
import { onLoopback, rulesFor, SECRET, startReceiver } from "../../support/receiver.ts";

interface Changes {
  readonly rules?: Partial<WebhookRules>;
  readonly clock?: VirtualClock;
  readonly resolve?: Resolve;
  readonly signal?: AbortSignal;
  readonly body?: string;
}

function send(
  url: string,
  { rules = {}, clock, resolve, signal, body = '{"a":1}' }: Changes = {},
): Promise<Outcome> {
  return post(
    { url, headers: { "webhook-id": "id" }, body },
    {
      rules: rulesFor(Number(new URL(url).port), rules),
      clock: clock ?? systemClock,
      resolve: resolve ?? onLoopback,
      signal: signal ?? new AbortController().signal,
    },
  );
}

async function answered(answer: (response: ServerResponse) => void, changes?: Changes): Promise<Outcome> {
  await using receiver = await startReceiver((_, response) => answer(response));
  return await send(receiver.url, changes);
}

describe("a POST", () => {
  it("says what it is, to the byte, and keeps no connection", async () => {
    await using receiver = await startReceiver();
    const sent = await send(receiver.url, { body: '{"text":"Grüße"}' });
    expect(sent).toMatchObject({ httpStatus: 200, error: "", latencyMs: expect.any(Number) });
    const [request] = receiver.received;
    expect(request).toMatchObject({ path: "/jobs?of=me", body: '{"text":"Grüße"}' });
    expect(request?.headers).toMatchObject({
      host: `hooks.example.com:${receiver.port}`,
      "content-type": "application/json",
      "content-length": "18",
      "user-agent": `llmgateway/${VERSION}`,
      "webhook-id": "id",
      connection: "close",
    });
    await send(receiver.url);
    expect(receiver.connections).toBe(2);
  });

  it.each([200, 201, 202, 204, 299])("is taken by %i", async (status) => {
    expect(await answered((response) => response.writeHead(status).end())).toMatchObject({
      httpStatus: status,
      error: "",
    });
  });

  it.each([301, 302, 304, 307, 308, 400, 401, 404, 410, 500, 503])("is not taken by %i", async (status) => {
    const sent = await answered((response) => response.writeHead(status, { location: "/" }).end());
    expect(sent.httpStatus).toBe(status);
    expect(sent.error).toContain(`the receiver answered ${status}`);
  });

  it.each([
    ["30", 30_000],
    ["0", 0],
    ["soon", undefined],
  ])("heeds retry-after: %s", async (header, expected) => {
    const sent = await answered((response) => response.writeHead(429, { "retry-after": header }).end());
    expect(sent.retryAfterMs).toBe(expected);
  });
});

describe("what the receiver says", () => {
  it("is told in few words, and without secrets", async () => {
    const said = `no:\u0007\n${SECRET} is not sk-proj-Zx81kQpL0vNw, nor ${SECRET.slice(6)}. ${"x".repeat(500)}`;
    const { error } = await answered((response) =>
      response.writeHead(400, { "content-type": "text/plain" }).end(said),
    );
    expect(error).toMatch(
      /^the receiver answered 400: no: \[redacted\] is not \[redacted\], nor \[redacted\]\. x+…$/,
    );
    expect(error.length).toBeLessThan(250);
  });

  it("is left out when it is no text", async () => {
    const { error } = await answered((response) =>
      response.writeHead(400, { "content-type": "application/octet-stream" }).end("PK"),
    );
    expect(error).toBe("the receiver answered 400");
  });

  it.each([
    [200, ""],
    [500, "the receiver answered 500: xxx"],
  ])("is read up to 64 KiB, with %i", async (status, error) => {
    let written = 0;
    const sent = await answered((response) => {
      response.writeHead(status, { "content-type": "text/plain" });
      const chunk = "x".repeat(16_384);
      const more = () => {
        if (response.destroyed) return;
        written += chunk.length;
        if (response.write(chunk)) setImmediate(more);
        else response.once("drain", more);
      };
      more();
    });
    expect(sent.httpStatus).toBe(status);
    expect(sent.error.slice(0, 30)).toBe(error);
    // The sockets hold some megabytes at most.
    expect(written).toBeLessThan(50_000_000);
  });

  it.each([
    [200, ""],
    [500, "the receiver answered 500: some"],
  ])("is waited for as long as a receiver may take, with %i", async (status, error) => {
    const clock = new VirtualClock();
    const sent = await answered(
      (response) => {
        response.writeHead(status, { "content-type": "text/plain" }).write("some");
        // The head has arrived when there is nothing else to wait for.
        setTimeout(() => void clock.advance(15_000), 100);
      },
      { clock },
    );
    expect(sent).toMatchObject({ httpStatus: status, error });
  });
});

describe("a receiver that does not answer", () => {
  it("is waited for no longer than the timeout", async () => {
    const clock = new VirtualClock();
    const sent = await answered(() => void clock.advance(15_000), { clock });
    expect(sent).toEqual({ error: "the receiver did not answer within 15 s", latencyMs: 15_000 });
  });

  it("is left when the gateway stops", async () => {
    const stop = new AbortController();
    const sent = await answered(() => stop.abort(), { signal: stop.signal });
    expect(sent.httpStatus).toBeUndefined();
    expect(await answered(() => {}, { signal: AbortSignal.abort() })).toMatchObject({
      error: expect.stringContaining("could not be asked"),
    });
  });

  it("has its name waited for no longer either", async () => {
    const clock = new VirtualClock();
    const resolve = () => {
      void clock.advance(15_000);
      return new Promise<never>(() => {});
    };
    const sent = await send("http://hooks.example.com:1/", { clock, resolve });
    expect(sent.error).toBe("the receiver did not answer within 15 s");
  });

  it("may close the connection", async () => {
    const closed = "the receiver closed the connection before it answered";
    expect((await answered((response) => response.socket?.resetAndDestroy())).error).toBe(closed);
    expect((await answered((response) => response.socket?.destroy())).error).toBe(closed);
  });

  it("may refuse the connection, or have no address", async () => {
    const url = `http://hooks.example.com:${await freePort()}/`;
    expect((await send(url)).error).toBe("its host refuses the connection");
    expect((await send(url, { resolve: async () => [] })).error).toBe("its host's name has no address");
  });

  it("may talk nonsense", async () => {
    const server = createServer((socket) => socket.on("error", () => {}).end("nonsense\r\n\r\n"));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const sent = await send(`http://hooks.example.com:${port}/`);
    server.close();
    expect(sent.httpStatus).toBeUndefined();
    expect(sent.error).toContain("the receiver could not be asked");
  });
});

describe.runIf(canMakeCertificates)("with TLS", () => {
  function certificate(name: string): { readonly cert: string; readonly key: string } {
    const folder = mkdtempSync(join(tmpdir(), "webhook-"));
    try {
      const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
      makeCertificate(cert, key, name);
      return { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") };
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  async function trusting(cert: string, act: () => Promise<void>): Promise<void> {
    const before = getCACertificates("default");
    setDefaultCACertificates([...before, cert]);
    try {
      await act();
    } finally {
      setDefaultCACertificates(before);
    }
  }

  it("the receiver proves the name in the URL, wherever that leads", async () => {
    const tls = certificate("DNS:hooks.example.com");
    await using receiver = await startReceiver(undefined, tls);
    await trusting(tls.cert, async () => {
      expect(await send(receiver.url)).toMatchObject({ httpStatus: 200, error: "" });
    });
    expect(receiver.received[0]?.headers.host).toBe(`hooks.example.com:${receiver.port}`);
  });

  it("another name, or a certificate that nobody trusts, gets nothing", async () => {
    const tls = certificate("DNS:other.example.com");
    await using receiver = await startReceiver(undefined, tls);
    expect((await send(receiver.url)).error).toBe(
      "the receiver could not be asked (DEPTH_ZERO_SELF_SIGNED_CERT)",
    );
    await trusting(tls.cert, async () => {
      expect((await send(receiver.url)).error).toBe(
        "the receiver could not be asked (ERR_TLS_CERT_ALTNAME_INVALID)",
      );
    });
    expect(receiver.received).toEqual([]);
  });
});
