/** A broken promise. `rule` names which, in stable words; `step` counts inputs from 1. */
export interface Violation {
  readonly rule:
    | "crash"
    | "refusal"
    | "number"
    | "send"
    | "result"
    | "settlement"
    | "budget"
    | "state"
    | "slot"
    | "wait"
    | "hold"
    | "charge"
    | "trade"
    | "order"
    | "fairness"
    | "liveness"
    | "determinism";
  readonly step: number;
  readonly message: string;
}
