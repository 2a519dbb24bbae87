import { z } from 'zod';
import { InputError } from '../errors';
import { NOISE_MODES } from '../sampler/types';
import { SPEED_NAMES } from '../sim/speeds';
import { CONDITIONS, SUITES } from '../sim/tasks';

/** Paces to choose from, times real time; 0 is as fast as it goes. */
export const PACES = [1, 3, 10, 0] as const;
/** Seeds of episodes. */
export const LARGEST_SEED = 2 ** 32 - 1;

const text = z.string().max(200);

const requestSchema = z.discriminatedUnion('do', [
  z.strictObject({
    do: z.literal('settings'),
    policy: text,
    values: z.record(text, text),
    noise: z.enum(NOISE_MODES),
  }),
  z.strictObject({
    do: z.literal('world'),
    suite: z.enum(['all', ...SUITES]),
    speed: z.enum(SPEED_NAMES),
    condition: z.enum(CONDITIONS),
    seed: z.int().min(0).max(LARGEST_SEED),
  }),
  z.strictObject({ do: z.literal('pace'), pace: z.literal(PACES) }),
  z.strictObject({ do: z.literal('pause') }),
  z.strictObject({ do: z.literal('resume') }),
  /** one control step, or up to the next chunk */
  z.strictObject({ do: z.literal('step') }),
  z.strictObject({ do: z.literal('chunk') }),
  /** breaks the episode off, uncounted, and begins the next */
  z.strictObject({ do: z.literal('next') }),
  /** empties the table of what was counted */
  z.strictObject({ do: z.literal('forget') }),
]);

/** What the page may ask for. */
export type ControlRequest = z.infer<typeof requestSchema>;

/** @throws InputError that says what does not fit */
export function readControlRequest(json: unknown): ControlRequest {
  const parsed = requestSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue?.path.join('.') ?? '';
  throw new InputError(`control request${where && ` (${where})`}: ${issue?.message ?? 'not understood'}`);
}
