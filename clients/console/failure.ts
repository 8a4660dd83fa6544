/** Shows why a call failed, what to mend, and when to try again. What it cost is told beside it. */
import { Code, type GatewayError } from "../typescript/src/browser.ts";
import { button, make, rows } from "./dom.ts";

/** How the fields of the request are labelled on this page. */
const LABELS: Readonly<Record<string, string>> = {
  "parameters.max_tokens": "Most tokens to write",
  "parameters.temperature": "Temperature",
  max_cost_usd: "Most it may cost",
  timeout_ms: "Longest it may take",
  model: "Model",
};

export function failureView(error: GatewayError, retry: () => void): HTMLElement {
  const { kind, code, message, violations, retryAfterMs } = error;
  const element = make(
    "div",
    "failure",
    make("p", "message", violations.length > 0 ? "The gateway does not accept the request" : message),
    make("p", "kind", `${kind} · ${Code[code] ?? code}`),
  );
  element.role = "alert";
  if (violations.length > 0) {
    element.append(
      rows(
        "violations",
        violations.map(({ field, description }) => [LABELS[field] ?? (field || "request"), description]),
      ),
    );
  }
  const actions = make("p", "actions", button("Try again", "", retry));
  if (retryAfterMs !== undefined) {
    actions.append(make("span", "note", `worth trying again in ${Math.ceil(retryAfterMs / 1000)} s`));
  }
  element.append(actions);
  return element;
}
