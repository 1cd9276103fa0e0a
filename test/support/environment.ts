// The variables of this process, which tests change and the next file must find as they were.

/**
 * Call it before the change; returns what puts all of them back. In place: child processes and `os.homedir()` read the process's own,
 * which an object that is put in the place of `process.env` no longer is.
 */
export function keepVariables(): () => void {
  const before = { ...process.env };
  return () => {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
    Object.assign(process.env, before);
  };
}
