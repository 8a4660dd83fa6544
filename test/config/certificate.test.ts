/** What is wrong with a certificate is told by the file and the field, before anything is opened. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readCertificate } from "../../src/config/certificate.ts";
import { ConfigError } from "../../src/config/error.ts";

const folder = mkdtempSync(join(tmpdir(), "llmgateway-certificate-"));
afterAll(() => rmSync(folder, { recursive: true }));

const at = (name: string) => join(folder, name);

function make(name: string): void {
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost"];
  const files = ["-keyout", at(`${name}.key`), "-out", at(`${name}.pem`)];
  execFileSync("openssl", ["req", "-x509", ...curve, ...files], { stdio: "ignore" });
}

make("one");
make("other");
writeFileSync(at("text"), "no certificate");

test("is read with its key", () => {
  const read = readCertificate({ certPath: at("one.pem"), keyPath: at("one.key") });
  expect(read).toEqual({
    cert: readFileSync(at("one.pem"), "utf8"),
    key: readFileSync(at("one.key"), "utf8"),
  });
});

test.each([
  ["none", "one.key", "none: cannot be read (ENOENT); server.tls.cert_path names it"],
  ["one.pem", "none", "none: cannot be read (ENOENT); server.tls.key_path names it"],
  ["text", "one.key", "text: is no certificate in PEM; server.tls.cert_path names it"],
  ["one.pem", "text", "text: is no private key in PEM without a passphrase; server.tls.key_path names it"],
  ["one.pem", "other.key", "other.key: is not the key of one.pem; server.tls.key_path names it"],
])("%s with %s is refused", (cert, key, expected) => {
  let told: unknown;
  try {
    readCertificate({ certPath: at(cert), keyPath: at(key) });
  } catch (error) {
    told = error;
  }
  expect(told).toBeInstanceOf(ConfigError);
  expect((told as Error).message.replaceAll(`${folder}/`, "")).toBe(
    `the configuration cannot be used:\n  ${expected}`,
  );
});
