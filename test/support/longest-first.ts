/** Begins with the test files that take longest, which would else be alone at the end while the machine is idle. */
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** By the ends of their paths, the longest first. The runner knows how long files took only where it ran before. */
const LONGEST = [
  "test/docs.test.ts",
  "test/cli.test.ts",
  "test/conformance/conformance.test.ts",
  "test/clients/matrix/matrix.test.ts",
  "test/clients/typescript/crash.test.ts",
];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.toSorted((one, other) => placeOf(one) - placeOf(other));
  }
}

function placeOf({ moduleId }: TestSpecification): number {
  const place = LONGEST.findIndex((file) => moduleId.endsWith(`/${file}`));
  return place === -1 ? LONGEST.length : place;
}
