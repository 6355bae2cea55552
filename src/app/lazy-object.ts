/**
 * An object that is filled when it is first looked into: for what every request carries and few apps read.
 *
 * An own accessor would do as well, but to define one costs more than all else that is done to make a request (some
 * twenty times as much as this), and an accessor on a prototype is lost where Express replaces prototypes. It is a proxy:
 * all but `structuredClone` takes it for what it stands for, and whoever fills it puts `target` itself in its place.
 */
import { inspect } from "node:util";

type Fill<T> = (from: T, target: object) => void;

/** By this key a stand-in gives what it stands for. */
const TARGET = Symbol("propylon.target");

class Lazy<T> implements ProxyHandler<object> {
  #fill: Fill<T> | null;
  readonly #from: T;

  constructor(fill: Fill<T>, from: T) {
    this.#fill = fill;
    this.#from = from;
  }

  get(target: object, key: PropertyKey): unknown {
    const filled = this.#filled(target) as Record<PropertyKey, unknown>;
    return key === TARGET ? filled : filled[key];
  }
  set(target: object, key: PropertyKey, value: unknown): boolean {
    return Reflect.set(this.#filled(target), key, value);
  }
  has(target: object, key: PropertyKey): boolean {
    return Reflect.has(this.#filled(target), key);
  }
  ownKeys(target: object): (string | symbol)[] {
    return Reflect.ownKeys(this.#filled(target));
  }
  getOwnPropertyDescriptor(target: object, key: PropertyKey): PropertyDescriptor | undefined {
    return Reflect.getOwnPropertyDescriptor(this.#filled(target), key);
  }
  defineProperty(target: object, key: PropertyKey, descriptor: PropertyDescriptor): boolean {
    return Reflect.defineProperty(this.#filled(target), key, descriptor);
  }
  deleteProperty(target: object, key: PropertyKey): boolean {
    return Reflect.deleteProperty(this.#filled(target), key);
  }
  isExtensible(target: object): boolean {
    return Reflect.isExtensible(this.#filled(target));
  }
  preventExtensions(target: object): boolean {
    return Reflect.preventExtensions(this.#filled(target));
  }

  #filled(target: object): object {
    const fill = this.#fill;
    if (fill !== null) {
      this.#fill = null;
      seen(target);
      fill(this.#from, target);
    }
    return target;
  }
}

/** A stand-in for `target`, which `fill(from, target)` fills when it is first looked into. */
export function lazyObject<T, O extends object>(target: O, fill: Fill<T>, from: T): O {
  (target as Unseen)[inspect.custom] = inspected;
  return new Proxy(target, new Lazy(fill, from)) as O;
}

type Unseen = { [inspect.custom]?: unknown };

/** For a target that is filled without its stand-in having been looked into. */
export function seen(target: object): void {
  delete (target as Unseen)[inspect.custom];
}

/** `console.log` looks through a proxy at its target, which is still empty: it is filled first. */
function inspected(this: object, _depth: number, options: object, show: typeof inspect): string {
  return show((this as { [TARGET]: object })[TARGET], options);
}
