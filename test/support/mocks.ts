// Pulumi mocks that record what a component declares. They show no parent, alias or URN: those need the real engine.
import "../../components/lightSdk";
import * as pulumi from "@pulumi/pulumi";

export interface Recorded {
  readonly type: string;
  readonly name: string;
  readonly inputs: Record<string, unknown>;
}

type Outputs = Record<string, unknown>;

/** What the mocked registry and engine answer: outputs by resource type, merged over the inputs; a promise holds the answer. */
export type Answers = Readonly<Record<string, (inputs: Outputs) => Outputs | Promise<Outputs>>>;

/** Installs the mocks; `preview` true runs with unknown outputs of resources that are yet to be created. `call` answers functions. */
export async function record(
  preview: boolean,
  answers: Answers = {},
  call: (token: string) => Outputs = () => ({}),
): Promise<Recorded[]> {
  const recorded: Recorded[] = [];
  await pulumi.runtime.setMocks(
    {
      newResource: async ({ type, name, inputs }) => {
        recorded.push({ type, name, inputs });
        return { id: `${name}-id`, state: { ...inputs, ...(await answers[type]?.(inputs)) } };
      },
      call: ({ token }) => call(token),
    },
    "policy-platform",
    "test",
    preview,
    "test-organization",
  );
  return recorded;
}

/** The one resource of `type` with `name`; fails when there is none or more. */
export function only(recorded: readonly Recorded[], type: string, name: string): Recorded {
  const found = recorded.filter((resource) => resource.type === type && resource.name === name);
  if (found.length !== 1) throw new Error(`${found.length} resources ${type} ${name}`);
  return found[0]!;
}
