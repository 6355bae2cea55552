/**
 * An object without a prototype that is filled when it is first looked into: for what every request carries and few
 * apps read.
 *
 * An own accessor would do as well, but to define one costs more than all else that is done to make a request (on Node
 * 20 some twenty times as much as this), and an accessor on a prototype is lost where Express replaces prototypes.
 */

type Target = Record<PropertyKey, unknown>;

class Lazy<T> implements ProxyHandler<Target> {
  #make: ((from: T) => object) | null;
  readonly #from: T;

  constructor(make: (from: T) => object, from: T) {
    this.#make = make;
    this.#from = from;
  }

  get(target: Target, key: PropertyKey): unknown {
    return this.#filled(target)[key];
  }
  set(target: Target, key: PropertyKey, value: unknown): boolean {
    return Reflect.set(this.#filled(target), key, value);
  }
  has(target: Target, key: PropertyKey): boolean {
    return Reflect.has(this.#filled(target), key);
  }
  ownKeys(target: Target): (string | symbol)[] {
    return Reflect.ownKeys(this.#filled(target));
  }
  getOwnPropertyDescriptor(target: Target, key: PropertyKey): PropertyDescriptor | undefined {
    return Reflect.getOwnPropertyDescriptor(this.#filled(target), key);
  }
  defineProperty(target: Target, key: PropertyKey, descriptor: PropertyDescriptor): boolean {
    return Reflect.defineProperty(this.#filled(target), key, descriptor);
  }
  deleteProperty(target: Target, key: PropertyKey): boolean {
    return Reflect.deleteProperty(this.#filled(target), key);
  }
  isExtensible(target: Target): boolean {
    return Reflect.isExtensible(this.#filled(target));
  }
  preventExtensions(target: Target): boolean {
    return Reflect.preventExtensions(this.#filled(target));
  }

  #filled(target: Target): Target {
    if (this.#make !== null) {
      const made = this.#make(this.#from);
      this.#make = null;
      Object.assign(target, made);
      if (Object.isFrozen(made)) Object.freeze(target);
    }
    return target;
  }
}

/** `make(from)`, called when the object is first looked into; frozen if that is. */
export function lazyObject<T, O extends object>(make: (from: T) => O, from: T): O {
  return new Proxy<Target>({ __proto__: null }, new Lazy(make, from)) as O;
}
