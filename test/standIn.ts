/**
 * A stand-in for an object of which the code under test uses the given members alone; reading another one is an error
 * that names it, so that a test does not pass on what it has left out.
 */
export function standIn<T extends object>(members: Partial<T>): T {
  return new Proxy(members, {
    get: (own, key, receiver): unknown => {
      if (typeof key === 'string' && !(key in own))
        throw new Error(`the stand-in of this test has no ${key}`);
      return Reflect.get(own, key, receiver);
    },
  }) as T;
}
