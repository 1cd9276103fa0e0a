// What the tests of a block stand on: named once, made by the block's hooks, and there from its first hook on.

/** Made before the tests of the block that this is called in, and stopped after them. */
export function shared<T extends { stop(): Promise<void> }>(start: () => Promise<T>): T {
  let made: T | undefined;
  before(async () => {
    made = await start();
  });
  after(() => made?.stop());
  return standingFor(() => made);
}

/** Made anew before each test of the block that this is called in. */
export function fresh<T extends object>(make: () => T): T {
  let made: T | undefined;
  beforeEach(() => {
    made = make();
  });
  return standingFor(() => made);
}

/** Everything that is read of it is read of what `made` gives then. */
function standingFor<T extends object>(made: () => T | undefined): T {
  const get = (_: unknown, key: PropertyKey) => {
    const one = made();
    if (one === undefined) throw new Error(`${String(key)} is read before a hook has made what it is of`);
    const value: unknown = Reflect.get(one, key);
    return typeof value === "function" ? value.bind(one) : value;
  };
  return new Proxy<T>({} as T, { get });
}
