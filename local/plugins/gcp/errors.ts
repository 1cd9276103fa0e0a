// What the stand-in answers where Google Cloud would refuse.
import { PlatformError } from "../../../lib/errors";

/** 409, with the line that takes what is there into the stack. */
export function alreadyThere(urn: string, id: string): PlatformError {
  const [, , types = "", name = ""] = urn.split("::");
  const stack = urn.split("::")[0]!.slice("urn:pulumi:".length);
  const type = types.split("$").at(-1);
  return new PlatformError("google-exists", {
    what: `409: ${id} is there already`,
    rule: "what the stack does not know of is never taken over without a word",
    fix: `pulumi import ${type} ${name} ${id} --stack ${stack}, or choose another registry.prefix`,
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
