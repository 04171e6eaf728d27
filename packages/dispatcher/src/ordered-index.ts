/** Most entries of one node. Wide enough that a million items stand four levels deep, narrow enough that a scan of one node is cheap. */
const WIDTH = 32;

interface Leaf<T> {
  readonly items: T[];
  readonly children: null;
  first: T | undefined;
  highest: number;
  size: number;
}

interface Branch<T> {
  readonly items: null;
  readonly children: Node<T>[];
  first: T | undefined;
  highest: number;
  size: number;
}

type Node<T> = Leaf<T> | Branch<T>;

/** Items in a total order, each with a number of its own. Adds, removes, ranks, and finds the first item whose number reaches a
 *  floor, all in O(log n); eight to twelve bytes an item. A B+ tree whose subtrees know their highest number.
 *  Neither the order nor the number of an item may change while it is inside: delete it, change it, add it again. */
export class OrderedIndex<T> {
  readonly #compare: (a: T, b: T) => number;
  readonly #measure: (item: T) => number;
  #root: Node<T> = { items: [], children: null, first: undefined, highest: -Infinity, size: 0 };

  /** @param compare total order: 0 only for the same item. @param measure the number of an item. */
  constructor(compare: (a: T, b: T) => number, measure: (item: T) => number) {
    this.#compare = compare;
    this.#measure = measure;
  }

  get size(): number {
    return this.#root.size;
  }

  /** The highest number inside; −Infinity when empty. */
  get highest(): number {
    return this.#root.highest;
  }

  first(): T | undefined {
    return this.#root.first;
  }

  add(item: T): void {
    const sibling = this.#insert(this.#root, item);
    if (sibling !== null) {
      const children = [this.#root, sibling];
      this.#root = { items: null, children, first: undefined, highest: -Infinity, size: 0 };
      this.#refresh(this.#root);
    }
  }

  /** False when it was not inside. */
  delete(item: T): boolean {
    const found = this.#remove(this.#root, item);
    while (this.#root.children !== null && this.#root.children.length === 1) {
      this.#root = this.#root.children[0] as Node<T>;
    }
    if (this.#root.size === 0)
      this.#root = { items: [], children: null, first: undefined, highest: -Infinity, size: 0 };
    return found;
  }

  /** The first item in order whose number is at least `floor`. */
  firstReaching(floor: number): T | undefined {
    let node = this.#root;
    if (!(node.highest >= floor)) return undefined;
    while (node.children !== null) {
      node = node.children.find((child) => child.highest >= floor) as Node<T>;
    }
    return node.items.find((item) => this.#measure(item) >= floor);
  }

  /** How many items stand before this one. */
  rank(item: T): number {
    let node = this.#root;
    let before = 0;
    while (node.children !== null) {
      const place = this.#childFor(node, item);
      for (let i = 0; i < place; i++) before += (node.children[i] as Node<T>).size;
      node = node.children[place] as Node<T>;
    }
    return before + this.#placeIn(node.items, item);
  }

  /** Visits items in order, skipping every subtree that `worth` declines: branch and bound.
   *  `worth` gets the first item and the highest number of the subtree. `visit` returns true to stop. */
  explore(worth: (first: T, highest: number) => boolean, visit: (item: T) => boolean): void {
    if (this.#root.size > 0) this.#explore(this.#root, worth, visit);
  }

  *values(): Generator<T> {
    yield* this.#walk(this.#root);
  }

  *#walk(node: Node<T>): Generator<T> {
    if (node.children === null) yield* node.items;
    else for (const child of node.children) yield* this.#walk(child);
  }

  #explore(node: Node<T>, worth: (first: T, highest: number) => boolean, visit: (item: T) => boolean): boolean {
    if (!worth(node.first as T, node.highest)) return false;
    if (node.children === null) return node.items.some(visit);
    return node.children.some((child) => this.#explore(child, worth, visit));
  }

  /** Returns a new right-hand sibling where the node had to be split. */
  #insert(node: Node<T>, item: T): Node<T> | null {
    if (node.children === null) {
      insertAt(node.items, this.#placeIn(node.items, item), item);
      this.#grown(node, item);
      return node.items.length > WIDTH ? this.#split(node) : null;
    }
    const place = this.#childFor(node, item);
    const sibling = this.#insert(node.children[place] as Node<T>, item);
    if (sibling !== null) insertAt(node.children, place + 1, sibling);
    this.#grown(node, item);
    return node.children.length > WIDTH ? this.#split(node) : null;
  }

  #grown(node: Node<T>, item: T): void {
    node.size += 1;
    node.highest = Math.max(node.highest, this.#measure(item));
    node.first = node.children === null ? node.items[0] : node.children[0]?.first;
  }

  #split(node: Node<T>): Node<T> {
    const half = WIDTH / 2;
    const sibling: Node<T> =
      node.children === null
        ? { items: node.items.splice(half), children: null, first: undefined, highest: -Infinity, size: 0 }
        : { items: null, children: node.children.splice(half), first: undefined, highest: -Infinity, size: 0 };
    this.#refresh(node);
    this.#refresh(sibling);
    return sibling;
  }

  #remove(node: Node<T>, item: T): boolean {
    if (node.children === null) {
      const place = this.#placeIn(node.items, item);
      if (node.items[place] !== item) return false;
      removeAt(node.items, place);
    } else {
      const place = this.#childFor(node, item);
      const child = node.children[place] as Node<T>;
      if (!this.#remove(child, item)) return false;
      if (child.size === 0 && node.children.length > 1) removeAt(node.children, place);
    }
    this.#shrunk(node, item);
    return true;
  }

  #shrunk(node: Node<T>, item: T): void {
    node.size -= 1;
    node.first = node.children === null ? node.items[0] : node.children[0]?.first;
    if (this.#measure(item) >= node.highest) node.highest = this.#highestOf(node);
  }

  #refresh(node: Node<T>): void {
    node.first = node.children === null ? node.items[0] : node.children[0]?.first;
    node.size = node.children === null ? node.items.length : node.children.reduce((sum, child) => sum + child.size, 0);
    node.highest = this.#highestOf(node);
  }

  #highestOf(node: Node<T>): number {
    let highest = -Infinity;
    if (node.children === null) for (const item of node.items) highest = Math.max(highest, this.#measure(item));
    else for (const child of node.children) highest = Math.max(highest, child.highest);
    return highest;
  }

  /** Index of the first item that does not stand before `item`. */
  #placeIn(items: readonly T[], item: T): number {
    let low = 0;
    let high = items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#compare(items[middle] as T, item) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Index of the last child that starts at or before `item`, or 0. */
  #childFor(node: Branch<T>, item: T): number {
    let low = 1;
    let high = node.children.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#compare((node.children[middle] as Node<T>).first as T, item) <= 0) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

/** As `splice`, which for so few entries takes twice as long: it makes an array of what it took out. */
function insertAt<Entry>(entries: Entry[], place: number, entry: Entry): void {
  for (let i = entries.length; i > place; i--) entries[i] = entries[i - 1] as Entry;
  entries[place] = entry;
}

function removeAt(entries: unknown[], place: number): void {
  for (let i = place + 1; i < entries.length; i++) entries[i - 1] = entries[i];
  entries.pop();
}
