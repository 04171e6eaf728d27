/** Thrown inside an engine for a task that it can't run by the task's own fault; the message is for whoever sent it. */
export class TaskRefused extends Error {}
