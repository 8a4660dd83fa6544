/** @returns how many milliseconds of CPU this thread took for it: a busy machine makes it wait, and not work more */
export function cpuMsOf(act: () => void): number {
  const before = process.threadCpuUsage();
  act();
  return cpuMsSince(before);
}

/** The same, of all that this thread does until what it waits for has come. */
export async function cpuMsUntil(wait: () => Promise<unknown>): Promise<number> {
  const before = process.threadCpuUsage();
  await wait();
  return cpuMsSince(before);
}

function cpuMsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1_000;
}
