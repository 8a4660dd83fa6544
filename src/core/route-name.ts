/** What a route is called where spend is told apart by it. It knows no candidates and no reasons. */
import type { Route } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";

/** The policy by which it was chosen, and the name that it goes by: `explicit`, or `alias:fast`; empty without one. */
export function routeName(route: Pick<Route, "policy" | "name"> | undefined): string {
  if (!route) return "";
  return route.name ? `${route.policy}:${route.name}` : route.policy;
}
