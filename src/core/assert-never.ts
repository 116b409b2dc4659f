/** Closes a union: the compiler refuses a missing case, and a value from outside fails loudly. */
export function assertNever(value: never): never {
  throw new TypeError(`Cannot handle value: "${JSON.stringify(value)}" is not of the union`);
}
