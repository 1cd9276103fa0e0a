// The grammar of what Google Cloud names: projects, locations, repositories, labels and members. The rules are Google's own.
import type { Grammar } from "./grammar";
import { parseDays } from "./units";

/** A project, by the id that stands in addresses; `example.com:name` is one of a domain. */
export const projectId: Grammar = {
  rule: "a project is a Google Cloud project id: 6 to 30 of a-z, 0-9 and -, beginning with a letter and not ending with -",
  example: "acme-policy",
  refuse(text) {
    const holds = (id: string) => /^(?:[a-z0-9-]+(?:\.[a-z0-9-]+)+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$/.test(id);
    if (holds(text)) return undefined;
    if (/^\d+$/.test(text)) return { code: "project-malformed", wrong: "is a project's number, not its id" };
    const meant = text.replace(/^projects\//, "").toLowerCase();
    return { code: "project-malformed", wrong: "is not a project id", ...(holds(meant) && { meant }) };
  },
};

/** Where a registry keeps what it holds. */
export const location: Grammar = {
  rule: "a location is a region, as europe-west1, or one of the multi-regions europe, us and asia",
  example: "europe-west1",
  refuse(text) {
    const holds = (name: string) => /^(?:europe|us|asia|[a-z]{2,20}-[a-z]{2,20}[1-9]\d?)$/.test(name);
    if (holds(text)) return undefined;
    const lower = text.toLowerCase();
    const meant = lower === "eu" ? "europe" : lower.replace(/^(.*\d)-[a-z]$/, "$1").replace(/-docker\.pkg\.dev.*$/, "");
    return { code: "location-malformed", wrong: "is not a location", ...(holds(meant) && { meant }) };
  },
};

/** What the three repositories' names begin with. The longest of them, `<prefix>-candidates`, has 63 characters at most. */
export const repositoryPrefix: Grammar = {
  rule: "a prefix is 1 to 52 of a-z, 0-9 and -, beginning with a letter and not ending with -",
  example: "policy",
  refuse(text) {
    const holds = (prefix: string) => /^[a-z](?:[a-z0-9-]{0,50}[a-z0-9])?$/.test(prefix);
    if (holds(text)) return undefined;
    const meant = text
      .slice(0, 200)
      .toLowerCase()
      .replace(/[^a-z0-9-]+/g, "-")
      .replace(/^[^a-z]+|-+$/g, "");
    return { code: "name-malformed", wrong: "is not such a prefix", ...(holds(meant) && { meant }) };
  },
};

/** Key of a label. */
export const labelKey: Grammar = {
  rule: "a label's key is 1 to 63 of a-z, 0-9, _ and -, beginning with a letter",
  example: "team",
  refuse: (text) => refusedLabel(text, /^[a-z][a-z0-9_-]{0,62}$/, "is not a label's key"),
};

/** Value of a label; the empty one is one. */
export const labelValue: Grammar = {
  rule: "a label's value is at most 63 of a-z, 0-9, _ and -",
  example: "platform",
  refuse: (text) => refusedLabel(text, /^[a-z0-9_-]{0,63}$/, "is not a label's value"),
};

function refusedLabel(text: string, form: RegExp, wrong: string): ReturnType<Grammar["refuse"]> {
  if (form.test(text)) return undefined;
  const meant = text
    .slice(0, 200)
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, "-");
  return { code: "label-malformed", wrong, ...(form.test(meant) && { meant }) };
}

const email = "[a-z0-9!#%&'*+/=?^_{|}~.-]{1,64}@[a-z0-9-]+(?:\\.[a-z0-9-]+)*\\.[a-z0-9-]+";
const federated =
  "//(?:iam|cloudresourcemanager)\\.googleapis\\.com/(?:locations|projects|folders|organizations)/[!#%&()*+,./0-9:;=?@A-Z^_a-z{|}~-]{1,400}";
/** `serviceAccount:acme.svc.id.goog[flux-system/source-controller]` is a Kubernetes service account. */
const kubernetesAccount = "[a-z][a-z0-9-]{4,28}[a-z0-9]\\.svc\\.id\\.goog\\[[a-z0-9-]{1,63}/[a-z0-9.-]{1,253}\\]";
const memberForm = new RegExp(
  `^(?:(?:user|group|serviceAccount):${email}|serviceAccount:${kubernetesAccount}|principal(?:Set)?:${federated})$`,
);

/** Who is given a right. */
export const member: Grammar = {
  rule: "a member is user:, group: or serviceAccount: and an e-mail address in lower case, or principal:// or principalSet:// and an identity; policies are private, so never everybody",
  example: "serviceAccount:flux@acme-prod.iam.gserviceaccount.com",
  refuse(text) {
    if (memberForm.test(text)) return undefined;
    if (/^all(authenticated)?users$/i.test(text)) return { code: "member-public", wrong: "is everybody", remove: true };
    if (/^domain:/.test(text)) return { code: "member-public", wrong: "is everybody of a domain", remove: true };
    const [, kind = "", name = ""] = /^([A-Za-z]+:)?(.*)$/s.exec(text)!;
    const isAccount = kind === "" && name.toLowerCase().endsWith(".gserviceaccount.com");
    const meant = `${isAccount ? "serviceAccount:" : kind}${name.toLowerCase()}`;
    return { code: "member-malformed", wrong: "is not a member", ...(memberForm.test(meant) && { meant }) };
  },
};

/** How old a candidate is before it may be cleaned up. */
export const age: Grammar = {
  rule: "an age is a number of days from 1d to 3650d",
  example: "14d",
  refuse(text) {
    if (parseDays(text) !== undefined) return undefined;
    const [, count, unit] = /^(\d{1,4})\s*(w|weeks?|days?|)$/i.exec(text) ?? [];
    const meant = `${Number(count) * (/^w/i.test(unit ?? "") ? 7 : 1)}d`;
    return {
      code: "duration-malformed",
      wrong: "is not such an age",
      ...(parseDays(meant) !== undefined && { meant }),
    };
  },
};
