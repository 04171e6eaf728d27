/** Trials of real processes under faults, as `npm run chaos` runs them; each prints its figures and throws where a promise was broken. */
export { backlogTrial } from "./chaos/backlog-trial.ts";
export { leaseTrial } from "./chaos/lease-trial.ts";
export { nodeLifeTrial } from "./chaos/node-life-trial.ts";
export { outageTrial } from "./chaos/outage-trial.ts";
export { streamsTrial } from "./chaos/streams-trial.ts";
