/** The REST routes, read off the `google.api.http` annotations of the contract. */

import { type DescMethod, type DescService, getOption, hasOption } from "@bufbuild/protobuf";
import { http } from "../../../gen/ts/google/api/annotations_pb.ts";
import { Failure } from "../../core/failure.ts";

export interface Route {
  readonly rpc: DescMethod;
  readonly verb: string;
  /** Which field the body is: `*` for the whole message, empty for none. */
  readonly body: string;
  readonly segments: readonly Segment[];
}

/** Fixed text, or the field that takes what stands there. */
type Segment =
  | { readonly text: string; readonly field?: undefined }
  | { readonly text?: undefined; readonly field: string };

export interface Match {
  readonly route: Route;
  /** Fields that the path gave. */
  readonly fields: Readonly<Record<string, string>>;
}

export interface Routes {
  /** Which verbs this path takes; empty for a path that is none. */
  verbs(path: string): readonly string[];
  /** @throws Failure `not_found` or `method_not_allowed` */
  find(verb: string, path: string): Match;
}

export function createRoutes(services: readonly DescService[]): Routes {
  const routes = services.flatMap((service) => service.methods.flatMap(routeOf));
  const fixed = Map.groupBy(routes.filter(isFixed), (route) => pathOf(route));
  const templates = routes.filter((route) => !isFixed(route));
  const matching = (path: string): readonly Route[] =>
    fixed.get(path) ?? templates.filter((route) => matches(route, path.split("/").slice(1)));
  const verbs = (path: string) => matching(path).map((route) => route.verb);
  return {
    verbs,
    find(verb, path) {
      const route = matching(path).find((candidate) => candidate.verb === verb);
      if (route) return { route, fields: fieldsOf(route, path.split("/").slice(1)) };
      const others = verbs(path);
      if (others.length === 0) throw new Failure("not_found", `there is nothing at ${path}`);
      throw new Failure("method_not_allowed", `${path} takes ${others.join(", ")}, not ${verb}`);
    },
  };
}

function routeOf(rpc: DescMethod): Route[] {
  if (!hasOption(rpc, http)) return [];
  const rule = getOption(rpc, http);
  const { case: verb, value: path } = rule.pattern;
  if (!verb || verb === "custom") throw new Error(`${rpc.name}: only plain HTTP verbs can be served`);
  const segments = String(path)
    .slice(1)
    .split("/")
    .map((text): Segment => (text.startsWith("{") ? { field: text.slice(1, -1) } : { text }));
  return [{ rpc, verb: verb.toUpperCase(), body: rule.body, segments }];
}

function isFixed({ segments }: Route): boolean {
  return segments.every((segment) => segment.field === undefined);
}

function pathOf({ segments }: Route): string {
  return `/${segments.map((segment) => segment.text).join("/")}`;
}

function matches({ segments }: Route, parts: readonly string[]): boolean {
  return (
    parts.length === segments.length &&
    segments.every(({ text }, index) => text === undefined || text === parts[index])
  );
}

function fieldsOf({ segments }: Route, parts: readonly string[]): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const [index, { field }] of segments.entries()) {
    if (field !== undefined) fields[field] = decode(parts[index] ?? "");
  }
  return fields;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new Failure("not_found", "the path is not valid percent-encoding");
  }
}
