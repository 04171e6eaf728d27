import type { TaskClass } from "../state/task-class.ts";
import type { TaskRecord } from "../state/task-record.ts";

/** Waiting tasks of one requirement class that pay up to the same price. */
interface CeilingCount {
  tasks: number;
  gpuMs: number;
}

/** Waiting tasks of one requirement class. */
export interface ClassCount {
  tasks: number;
  gpuMs: number;
  readonly byCeiling: Map<number, CeilingCount>;
  /** Its classes here: by ratio and exclusions. */
  readonly classes: Map<TaskClass, number>;
}

/** Counts what waits, as it comes and goes. */
export class DemandCounter {
  readonly byRequirement = new Map<string, ClassCount>();

  add(task: TaskRecord): void {
    const { class: taskClass, demandMs, maxCost } = task;
    let count = this.byRequirement.get(taskClass.requirementKey);
    if (count === undefined) {
      count = { tasks: 0, gpuMs: 0, byCeiling: new Map(), classes: new Map() };
      this.byRequirement.set(taskClass.requirementKey, count);
    }
    let ceiling = count.byCeiling.get(maxCost);
    if (ceiling === undefined) {
      ceiling = { tasks: 0, gpuMs: 0 };
      count.byCeiling.set(maxCost, ceiling);
    }
    count.tasks += 1;
    count.gpuMs += demandMs;
    ceiling.tasks += 1;
    ceiling.gpuMs += demandMs;
    count.classes.set(taskClass, (count.classes.get(taskClass) ?? 0) + 1);
  }

  delete(task: TaskRecord): void {
    const { class: taskClass, demandMs, maxCost } = task;
    const count = this.byRequirement.get(taskClass.requirementKey);
    const ceiling = count?.byCeiling.get(maxCost);
    if (count === undefined || ceiling === undefined) return;
    count.tasks -= 1;
    count.gpuMs -= demandMs;
    ceiling.tasks -= 1;
    ceiling.gpuMs -= demandMs;
    if (ceiling.tasks === 0) count.byCeiling.delete(maxCost);
    const left = (count.classes.get(taskClass) ?? 0) - 1;
    if (left > 0) count.classes.set(taskClass, left);
    else count.classes.delete(taskClass);
    if (count.tasks === 0) this.byRequirement.delete(taskClass.requirementKey);
  }
}
