import { timingSafeEqual } from 'node:crypto';

/** Compares a secret that was given with the right one, without telling by its time where they differ. */
export function sameSecret(given: string, right: string): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(right)];
  return one.length === other.length && timingSafeEqual(one, other);
}
