/** Requirement classes of which one user may have tasks waiting in the window. The dispatcher looks at each of them for each slot that
 *  becomes free, so somebody with a model name for each task would cost everybody; at 256 a decision takes half a millisecond. */
const USER_CLASSES_MAX = 256;

/** What waits outside of the window because its user has too much inside. */
interface Crowded {
  /** The classes, longest waiting first. */
  readonly parked: Set<string>;
  /** Classes beyond the bound that it may have, since none inside came to its end. */
  extra: number;
  /** Whether a class came in since the last beat. */
  moved: boolean;
}

/** Users who have as many classes in the window as one user may. Their other classes come in one after the other as those inside empty. Where
 *  none does (nobody has those models, or they pay too little), one more comes in each second, so that none waits for ever behind them. */
export class CrowdedUsers {
  readonly #classesInside: (userId: string) => number;
  readonly #crowded = new Map<string, Crowded>();

  /** @param classesInside how many classes of a user have tasks waiting in the window. */
  constructor(classesInside: (userId: string) => number) {
    this.#classesInside = classesInside;
  }

  /** True where nobody waits for room. */
  get isEmpty(): boolean {
    return this.#crowded.size === 0;
  }

  /** Whether a user's next task has to wait outside, whatever its class: others of its classes were there first, or there is no room. */
  has(userId: string): boolean {
    return (this.#crowded.get(userId)?.parked.size ?? 0) > 0 || !this.hasRoom(userId);
  }

  hasRoom(userId: string): boolean {
    return this.#roomOf(userId) > 0;
  }

  /** A class of this user waits for room. */
  park(userId: string, classKey: string): void {
    let crowded = this.#crowded.get(userId);
    if (crowded === undefined) {
      crowded = { parked: new Set(), extra: 0, moved: false };
      this.#crowded.set(userId, crowded);
    }
    crowded.parked.add(classKey);
  }

  /** A class has nothing outside any more. */
  forget(userId: string, classKey: string): void {
    this.#crowded.get(userId)?.parked.delete(classKey);
  }

  /** Takes out the classes for which there is room now. */
  takeDue(): readonly string[] {
    const due: string[] = [];
    for (const [userId, crowded] of this.#crowded) {
      let room = this.#roomOf(userId);
      for (const classKey of crowded.parked) {
        if (room <= 0) break;
        room -= 1;
        crowded.moved = true;
        crowded.parked.delete(classKey);
        due.push(classKey);
      }
    }
    return due;
  }

  /** Makes room for users of whom nothing came in since the last beat, and forgets those who need none. Called once a second. */
  beat(): void {
    for (const [userId, crowded] of this.#crowded) {
      if (crowded.parked.size > 0) crowded.extra += crowded.moved ? 0 : 1;
      else if (this.#classesInside(userId) < USER_CLASSES_MAX) this.#crowded.delete(userId);
      crowded.moved = false;
    }
  }

  #roomOf(userId: string): number {
    return USER_CLASSES_MAX + (this.#crowded.get(userId)?.extra ?? 0) - this.#classesInside(userId);
  }
}
