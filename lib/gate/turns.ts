// Whose turn it is: so many at a time, in the order of asking, or one alone.

export class Turns {
  #free: number;
  readonly #waiting: { readonly places: number; readonly go: () => void }[] = [];

  constructor(private readonly places: number) {
    this.#free = places;
  }

  /** Runs `work` when its turn has come; `alone`: while nobody else's runs. */
  async take<T>(work: () => Promise<T>, alone = false): Promise<T> {
    const places = alone ? this.places : 1;
    await new Promise<void>((go) => {
      this.#waiting.push({ places, go });
      this.#next();
    });
    try {
      return await work();
    } finally {
      this.#free += places;
      this.#next();
    }
  }

  #next(): void {
    while (this.#waiting.length > 0 && this.#waiting[0]!.places <= this.#free) {
      const { places, go } = this.#waiting.shift()!;
      this.#free -= places;
      go();
    }
  }
}
