/**
 * Objects that are filled when they are first looked into: for what every request carries and few apps read.
 *
 * An own accessor would do as well, but to define one costs more than all else that is done to make a request (some
 * twenty times as much as this), and an accessor on a prototype is lost where Express replaces prototypes. They are
 * proxies: all but `structuredClone`, `postMessage` and `%o` take them for what they stand for, and whoever fills one
 * puts the object itself in its place, unless another is there by then.
 */
import { inspect, type InspectOptions } from "node:util";

/** By this key a stand-in gives what it stands for. */
const TARGET = Symbol("propylon.target");

/** Fills objects: one for all those of a request. */
export abstract class Lazy implements ProxyHandler<object> {
  /** Fills `target`, once: calls `seen` for it, and for all that it fills with it. */
  protected abstract fill(target: object): void;

  /** A stand-in for `target`. */
  standIn<O extends object>(target: O): O {
    (target as Unseen)[inspect.custom] = inspected;
    return new Proxy(target, this) as O;
  }

  get(target: object, key: PropertyKey): unknown {
    this.#open(target);
    return key === TARGET ? target : (target as Record<PropertyKey, unknown>)[key];
  }
  set(target: object, key: PropertyKey, value: unknown, receiver: unknown): boolean {
    this.#open(target);
    return Reflect.set(target, key, value, receiver);
  }
  has(target: object, key: PropertyKey): boolean {
    this.#open(target);
    return Reflect.has(target, key);
  }
  ownKeys(target: object): (string | symbol)[] {
    this.#open(target);
    return Reflect.ownKeys(target);
  }
  getOwnPropertyDescriptor(target: object, key: PropertyKey): PropertyDescriptor | undefined {
    this.#open(target);
    return Reflect.getOwnPropertyDescriptor(target, key);
  }
  defineProperty(target: object, key: PropertyKey, descriptor: PropertyDescriptor): boolean {
    this.#open(target);
    return Reflect.defineProperty(target, key, descriptor);
  }
  deleteProperty(target: object, key: PropertyKey): boolean {
    this.#open(target);
    return Reflect.deleteProperty(target, key);
  }
  getPrototypeOf(target: object): object | null {
    this.#open(target);
    return Reflect.getPrototypeOf(target);
  }
  setPrototypeOf(target: object, prototype: object | null): boolean {
    this.#open(target);
    return Reflect.setPrototypeOf(target, prototype);
  }
  isExtensible(target: object): boolean {
    this.#open(target);
    return Reflect.isExtensible(target);
  }
  preventExtensions(target: object): boolean {
    this.#open(target);
    return Reflect.preventExtensions(target);
  }

  #open(target: object): void {
    if (isUnseen(target)) this.fill(target);
  }
}

/** What is not filled yet bears this mark, by which `console.log` shows it all the same. */
type Unseen = { [inspect.custom]?: unknown };

export function isUnseen(target: object): boolean {
  return (target as Unseen)[inspect.custom] === inspected;
}

/** To be called for a target before it is filled. */
export function seen(target: object): void {
  delete (target as Unseen)[inspect.custom];
}

/** The same for one that is to have no prototype: made without one, it would cost more than all else here. */
export function seenBare(target: object): void {
  seen(target);
  Object.setPrototypeOf(target, null);
}

/** `console.log` looks through a proxy at its target, which is still empty: it is filled first. */
function inspected(this: object, depth: number, options: InspectOptions, show: typeof inspect): string {
  const target = (this as { [TARGET]: object })[TARGET];
  return depth < 0 ? (Array.isArray(target) ? "[Array]" : "[Object]") : show(target, { ...options, depth });
}
