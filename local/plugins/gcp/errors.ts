// What the stand-in answers where Google Cloud would refuse.
import { PlatformError } from "../../../lib/errors";

/** 409, with the line that takes what is there into the stack, below the component that declares it: `registry-layers` is `registry`'s. */
export function alreadyThere(urn: string, id: string): PlatformError {
  const [stack = "", project = "", types = "", name = ""] = urn.split("::");
  const chain = types.split("$");
  const parent = name.slice(0, name.lastIndexOf("-"));
  const below = [stack, project, chain.slice(0, -1).join("$"), parent].join("::");
  return new PlatformError("google-exists", {
    what: `409: ${id} is there already`,
    rule: "what the stack does not know of is never taken over without a word",
    fix: `pulumi import ${chain.at(-1)} ${name} ${id} --parent ${parent}=${below} --stack ${stack.slice("urn:pulumi:".length)}; or choose another registry.prefix`,
  });
}

/** 404. */
export function notThere(id: string): PlatformError {
  return new PlatformError("google-missing", {
    what: `404: ${id} is not there`,
    rule: "what is changed, or given rights on, must be there",
    fix: "pulumi up --refresh makes it again",
  });
}

/** An id that is none, as it may come from `pulumi import`. */
export function wrongId(id: string, form: string): PlatformError {
  return new PlatformError("google-id", {
    what: `there is no ${JSON.stringify(id)}`,
    rule: `an id is ${form}`,
    fix: "correct the id",
  });
}

/** Whoever edited a record made no JSON of it. */
export function brokenRecord(file: string): PlatformError {
  return new PlatformError("google-record", {
    what: `${file} is no JSON`,
    rule: "the records of the stand-in are whole, or not there",
    fix: "delete it, and pulumi up --refresh makes it again",
  });
}
