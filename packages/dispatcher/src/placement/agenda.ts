/** What is to be looked at, once each, in the order in which it came up. Empty most of the time and filled anew with every input, for which a
 *  `Set` is a poor place: V8 gives it a new table each time that its last entry goes, and what the old table held is kept until a full
 *  collection. Each item remembers its place itself, in the field that the agenda is made with: -1 where it has none. */
export class Agenda<Place extends string, Item extends { [Key in Place]: number }> {
  readonly #place: Place;
  #items: (Item | null)[] = [];
  #first = 0;
  #size = 0;

  constructor(place: Place) {
    this.#place = place;
  }

  get size(): number {
    return this.#size;
  }

  /** Puts it at the end, where it is not there already. */
  add(item: Item): void {
    if (item[this.#place] >= 0) return;
    setPlace(item, this.#place, this.#items.length);
    this.#items.push(item);
    this.#size += 1;
  }

  delete(item: Item): void {
    const place = item[this.#place];
    if (place < 0) return;
    setPlace(item, this.#place, -1);
    this.#items[place] = null;
    this.#size -= 1;
    if (this.#size > 0) return;
    this.#items.length = 0;
    this.#first = 0;
  }

  first(): Item | null {
    if (this.#size === 0) return null;
    for (;;) {
      const item = this.#items[this.#first];
      if (item != null) return item;
      this.#first += 1;
    }
  }
}

function setPlace<Place extends string>(item: { [Key in Place]: number }, place: Place, index: number): void {
  item[place] = index as (typeof item)[Place];
}
