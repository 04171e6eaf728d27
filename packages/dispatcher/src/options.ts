/** Options of the dispatcher. Each has a default; durations are in milliseconds. */
export interface DispatcherOptions {
  /** How long a provider may hold an attempt without a sign of life. 1 000 to 600 000; default 30 000.
   *  Long enough for a garbage-collection pause, short enough that a dead node costs one task half a minute. */
  readonly leaseMs: number;
  /** How long a broken provider may take to come back before its task may get a second attempt. 0 to 60 000; default 3 000. */
  readonly graceMs: number;
  /** How long a provider is skipped for a task that it rejected. 0 to 3 600 000; default 30 000. */
  readonly rejectSkipMs: number;
  /** How long after an abort a protocol-2 provider's slot counts as busy unless it says otherwise. 0 to 600 000; default 5 000. */
  readonly abortSettleMs: number;
  /** How many attempts of a task may be lost with their providers. 1 to 1 000; default 10. */
  readonly lossesMax: number;
  /** Backoff after a fault: full jitter below base × 2^(faults − 1). Base default 2 000, cap default 300 000; 0 to 3 600 000. */
  readonly backoffBaseMs: number;
  readonly backoffCapMs: number;
  /** Faults in a row after which a provider rests. 1 to 100; default 3. */
  readonly restAfterFaults: number;
  /** First rest, doubling up to the longest. Defaults 30 000 and 600 000; 1 to 86 400 000. */
  readonly restMs: number;
  readonly restMaxMs: number;
  /** GPU time by which a waiting user's tag may lag behind. 0 to 86 400 000; default 600 000. */
  readonly creditMs: number;
  /** How many tasks may overtake one whose model has to be loaded, because their own model is in memory, although their users were charged more. They
   *  may be ahead by less than the overtaken task takes itself, so that waiting users stay within one task of each other. 0 to 1 000; default 0: the
   *  user with the least service always goes first, however often models have to be loaded for that. */
  readonly warmTurnsMax: number;
  /** What loading a model takes until it was measured. 0 to 3 600 000; default 10 000. */
  readonly modelLoadMs: number;
  /** Most unsettled tasks. 1 to 100 000 000; default 2 000 000. */
  readonly tasksMax: number;
  /** Most providers that are connected, or remembered for their lost attempts or their conduct. At the limit, a new one replaces the one that has been
   *  gone for longest; if none is gone, it is refused. 1 to 1 000 000; default 100 000. */
  readonly providersMax: number;
  /** Most users. At the limit, a new one replaces one without tasks; if all have tasks, it is refused. 1 to 100 000 000; default 1 000 000. */
  readonly usersMax: number;
  /** Most users without tasks that are remembered, because of what they were charged or because they have limits of their own. Beyond that, users who
   *  were charged little are forgotten first, then those with their own limits who have had no task for longest. 1 to 100 000 000; default 100 000,
   *  some 50 MB. */
  readonly idleUsersMax: number;
  /** Longest id, model name or other text, in characters. 36 to 65 536; default 1 024. */
  readonly textCharsMax: number;
  /** Most models that one task may ask for; a provider may offer a hundred times as many. 1 to 10 000; default 100. */
  readonly modelsMax: number;
}

const OPTIONS_DEFAULT: DispatcherOptions = {
  leaseMs: 30_000,
  graceMs: 3_000,
  rejectSkipMs: 30_000,
  abortSettleMs: 5_000,
  lossesMax: 10,
  backoffBaseMs: 2_000,
  backoffCapMs: 300_000,
  restAfterFaults: 3,
  restMs: 30_000,
  restMaxMs: 600_000,
  creditMs: 600_000,
  warmTurnsMax: 0,
  modelLoadMs: 10_000,
  tasksMax: 2_000_000,
  providersMax: 100_000,
  usersMax: 1_000_000,
  idleUsersMax: 100_000,
  textCharsMax: 1_024,
  modelsMax: 100,
};

const RANGES: { readonly [Name in keyof DispatcherOptions]: readonly [number, number] } = {
  leaseMs: [1_000, 600_000],
  graceMs: [0, 60_000],
  rejectSkipMs: [0, 3_600_000],
  abortSettleMs: [0, 600_000],
  lossesMax: [1, 1_000],
  backoffBaseMs: [0, 3_600_000],
  backoffCapMs: [0, 3_600_000],
  restAfterFaults: [1, 100],
  restMs: [1, 86_400_000],
  restMaxMs: [1, 86_400_000],
  creditMs: [0, 86_400_000],
  warmTurnsMax: [0, 1_000],
  modelLoadMs: [0, 3_600_000],
  tasksMax: [1, 100_000_000],
  providersMax: [1, 1_000_000],
  usersMax: [1, 100_000_000],
  idleUsersMax: [1, 100_000_000],
  textCharsMax: [36, 65_536],
  modelsMax: [1, 10_000],
};

/** The options with their defaults. Throws a RangeError that names the one that is out of its range. */
export function completeOptions(options: Partial<DispatcherOptions>): DispatcherOptions {
  const complete = { ...OPTIONS_DEFAULT, ...options };
  for (const name of Object.keys(RANGES) as (keyof DispatcherOptions)[]) {
    const [least, most] = RANGES[name];
    const value = complete[name];
    if (!(value >= least && value <= most)) throw new RangeError(`${name} is ${value}; it must be ${least} to ${most}`);
  }
  return complete;
}
