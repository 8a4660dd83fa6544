/** The options that several commands have, each with its words and its default. */
import { Option } from "commander";
import { dollars, httpUrl, wholeNumber } from "./argument.ts";

export function maxCost(what = "most that the call may cost, in US dollars"): Option {
  return new Option("--max-cost <usd>", what).argParser(dollars);
}

export function timeout(): Option {
  return new Option("--timeout <ms>", "most time that the call may take, in milliseconds").argParser(
    wholeNumber(1, 86_400_000),
  );
}

export function url(): Option {
  return new Option("--url <url>", "the gateway")
    .env("LLMGATEWAY_URL")
    .default("http://127.0.0.1:8080")
    .argParser(httpUrl);
}

export function key(): Option {
  return new Option("--key <key>", "API key").env("LLMGATEWAY_API_KEY");
}
