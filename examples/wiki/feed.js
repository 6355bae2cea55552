/** The feed: tells whoever listens of each edit, those of the wiki's other processes included. */

/** Other processes' edits are looked for so often, in milliseconds, while somebody listens. */
const POLL_INTERVAL = 1000;

export class Feed {
  #store;
  /** @type {Set<(revision: import("./store.js").Revision) => void>} */
  #listeners = new Set();
  /** The id of the last edit told. */
  #last = 0;
  /** @type {NodeJS.Timeout | undefined} */
  #timer;

  /** @param {import("./store.js").Store} store */
  constructor(store) {
    this.#store = store;
  }

  /**
   * @param {(revision: import("./store.js").Revision) => void} listener  called once for each edit from now on
   * @returns {() => void} ends it
   */
  subscribe(listener) {
    // Those who listen already hear what is due, lest the new one hear old news.
    this.poll();
    if (this.#listeners.size === 0) {
      this.#last = this.#store.latestId();
      this.#timer = setInterval(() => this.poll(), POLL_INTERVAL).unref();
    }
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) clearInterval(this.#timer);
    };
  }

  /** Looks for edits now; called after each of our own. */
  poll() {
    if (this.#listeners.size === 0) return;
    for (const revision of this.#store.changesAfter(this.#last, 100)) {
      this.#last = revision.id;
      for (const listener of this.#listeners) listener(revision);
    }
  }
}
