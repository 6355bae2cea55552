/**
 * Exchanges by their numbers, which grow from 1. A Map would do, but for V8's collector: a Map to which things come and
 * go gets a new table again and again, each of the old ones leads to the next, and as soon as one of them has become old
 * all that was in hand at each change stays until the next full collection: half of all requests, copied twice.
 */

const FIRST_SIZE = 256;
/** No number. */
const FREE = 0;

/** Open addressing: what is not in its own place is in one of the next, without a gap. */
export class ExchangeTable<Exchange> {
  #numbers: number[] = Array.from({ length: FIRST_SIZE }, () => FREE);
  #exchanges: (Exchange | undefined)[] = Array.from({ length: FIRST_SIZE }, () => undefined);
  #mask = FIRST_SIZE - 1;

  size = 0;

  get(number: number): Exchange | undefined {
    return this.#exchanges[this.#placeOf(number)];
  }

  /** A number that is not in it yet. */
  add(number: number, exchange: Exchange): void {
    if (2 * (this.size + 1) > this.#numbers.length) this.#grow();
    const place = this.#placeOf(number);
    this.#numbers[place] = number;
    this.#exchanges[place] = exchange;
    this.size++;
  }

  delete(number: number): void {
    let gap = this.#placeOf(number);
    if (this.#numbers[gap] === FREE) return;
    this.size--;
    for (let next = (gap + 1) & this.#mask; this.#numbers[next] !== FREE; next = (next + 1) & this.#mask) {
      const fromHome = (next - this.#numbers[next]!) & this.#mask;
      // It may move back into the gap, unless that is before its own place.
      if (fromHome < ((next - gap) & this.#mask)) continue;
      this.#numbers[gap] = this.#numbers[next]!;
      this.#exchanges[gap] = this.#exchanges[next];
      gap = next;
    }
    this.#numbers[gap] = FREE;
    this.#exchanges[gap] = undefined;
  }

  /** The oldest first. */
  values(): Exchange[] {
    const numbers = this.#numbers.filter((number) => number !== FREE).sort((a, b) => a - b);
    return numbers.map((number) => this.get(number)!);
  }

  /** Where it is, or would be. */
  #placeOf(number: number): number {
    let place = number & this.#mask;
    while (this.#numbers[place] !== number && this.#numbers[place] !== FREE) place = (place + 1) & this.#mask;
    return place;
  }

  #grow(): void {
    const [numbers, exchanges] = [this.#numbers, this.#exchanges];
    const size = 2 * numbers.length;
    this.#numbers = Array.from({ length: size }, () => FREE);
    this.#exchanges = Array.from({ length: size }, () => undefined);
    this.#mask = size - 1;
    this.size = 0;
    for (const [place, number] of numbers.entries()) if (number !== FREE) this.add(number, exchanges[place]!);
  }
}
