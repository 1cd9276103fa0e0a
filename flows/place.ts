// Where a flow runs.

export interface StackPlace {
  readonly stack: string;
  /** Folders of the configuration are relative to it. */
  readonly projectDir: string;
  readonly preview: boolean;
}
