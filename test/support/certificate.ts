/** Certificates for tests that need TLS on loopback. */
import { execFileSync, spawnSync } from "node:child_process";

/** Where it must be, its absence fails the tests. */
export const canMakeCertificates = Boolean(process.env.CI) || spawnSync("openssl", ["version"]).status === 0;
if (!canMakeCertificates) console.warn("TLS is not tested: openssl is not installed");

/** Self-signed, for loopback or another name; writes both as PEM files. */
export function makeCertificate(certPath: string, keyPath: string, name = "IP:127.0.0.1"): void {
  const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"];
  const names = ["-subj", "/CN=localhost", "-addext", `subjectAltName=${name}`];
  const files = ["-keyout", keyPath, "-out", certPath];
  execFileSync("openssl", ["req", ...kind, ...names, ...files], { stdio: "pipe" });
}
