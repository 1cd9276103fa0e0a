export const alone: Readonly<Record<string, string>>;

export function runFiles(
  files: readonly string[],
  options: {
    command: readonly string[];
    env?: Readonly<Record<string, string | undefined>>;
    withoutTests?: boolean;
    apart?: Readonly<Record<string, string>>;
    write?: (text: string) => void;
  },
): Promise<{ passed: number; failed: number; files: string[] }>;

export function resultOf(
  output: string,
  code: number | string,
  withoutTests?: boolean,
): { passed: number; failed: number; note?: string };
