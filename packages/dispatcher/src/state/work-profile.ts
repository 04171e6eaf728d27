/** What estimates are kept for: tasks of one model and one signature. Interned: equal ones are the same object. */
export interface WorkProfile {
  /** First model asked for, normalized; empty for none. */
  readonly model: string;
  readonly signature: string;
}
