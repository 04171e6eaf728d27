/** What only the running dispatcher knows; the rest is in the store. Read-outs of a moment, cheap, without a promise. */
export interface FleetReadings {
  /** Progress of the task's running attempt, 0 to 1; null where none is known. */
  progressOf(taskId: string): number | null;
}
