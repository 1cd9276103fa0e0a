// policy-platform, the command.
import { runCommand } from "./program";

process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error; // `| head` may close early
});
void runCommand(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});
