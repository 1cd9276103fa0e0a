export function acquireLock(
  file: string,
  options: { owner: string; waiting?: (owner: string) => void; interval?: number },
): Promise<number>;
