/** @returns how many milliseconds of CPU this thread took for it: a busy machine makes it wait, and not work more */
export function cpuMsOf(act: () => void): number {
  const before = process.threadCpuUsage();
  act();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1_000;
}
