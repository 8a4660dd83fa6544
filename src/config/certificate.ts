/** Reads a certificate and its key before anything is opened, so that what is wrong with them is told as what it is. */
import { createSecureContext } from "node:tls";
import { ConfigError } from "./error.ts";
import { readNamed } from "./named-file.ts";

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

const CERT = "server.tls.cert_path";
const KEY = "server.tls.key_path";

/** @throws ConfigError that names the file, and the field that names it */
export function readCertificate({
  certPath,
  keyPath,
}: {
  readonly certPath: string;
  readonly keyPath: string;
}): Certificate {
  const cert = readNamed(certPath, CERT);
  const key = readNamed(keyPath, KEY);
  check(certPath, `is no certificate in PEM; ${CERT} names it`, { cert });
  check(keyPath, `is no private key in PEM without a passphrase; ${KEY} names it`, { key });
  check(keyPath, `is not the key of ${certPath}; ${KEY} names it`, { cert, key });
  return { cert, key };
}

function check(source: string, description: string, parts: Partial<Certificate>): void {
  try {
    createSecureContext(parts);
  } catch {
    throw new ConfigError([{ source, path: "", description }]);
  }
}
