// The program: settings → registry → one of two flows. A stack builds a release, or takes one that another stack built.
import "./components/lightSdk";
import * as pulumi from "@pulumi/pulumi";
import { asRunError } from "./components/program";
import { PolicyRegistry } from "./components/registry";
import { mapOwnFramesOnly } from "./components/stackTraces";
import { fromPulumi } from "./config/load";
import { parseSettings } from "./config/parse";
import type { Root } from "./lib/registry/names";

mapOwnFramesOnly();

export = () => asRunError(program);

/** Each flow is loaded where it is taken: a promotion needs neither the Docker SDK nor the gate. */
async function program() {
  const place = { stack: pulumi.getStack(), projectDir: process.cwd(), preview: pulumi.runtime.isDryRun() };
  const settings = parseSettings(fromPulumi(), place);
  const only: Root[] | undefined = settings.promotion && ["releases"];
  const registry = new PolicyRegistry("registry", { ...settings.registry, only });
  if (settings.promotion) return (await import("./flows/promotion")).promotion(settings, registry, place);
  return (await import("./flows/release")).release(settings, registry, place);
}
