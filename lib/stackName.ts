// How stacks are called.

/** What a stack is called in its own project: `organization/project/dev` is `dev`. */
export function shortName(stack: string): string {
  return stack.slice(stack.lastIndexOf("/") + 1);
}
