import { z } from 'zod';
import type { BundleManifest } from '../bundle/schema';
import { UsageError, messageOf } from '../errors';
import { readYaml as readYamlFile, yamlValue } from '../formats/readYaml';
import { nearestName } from '../words/nearestName';

/** The public evaluation replans every 10 steps; 10 Hz is a common control rate of learned policies. */
const DEFAULT_RATE = 10;
const DEFAULT_REPLAN_STEPS = 10;

/** A camera and its box in a picture that several are composed into, pixels. */
export const placedCamera = z.strictObject({
  name: z.string().min(1),
  x: z.number().int().nonnegative().describe('left edge in the composed image, pixels'),
  y: z.number().int().nonnegative().describe('upper edge, pixels'),
  width: z.number().int().positive().describe('pixels'),
  height: z.number().int().positive().describe('pixels'),
  rotate180: z.boolean().default(false).describe('turn the picture by 180 degrees first'),
  fit: z
    .enum(['cover', 'stretch'])
    .default('stretch')
    .describe('cover: scale to cover the box, crop the middle; stretch: scale to the box'),
});

const perDimension = z.array(z.number().nullable());

/** What a checkpoint does not say about the robot it was trained for. Everything is optional. */
export const robotSchema = z.strictObject({
  name: z.string().min(1).optional().describe("the robot's, for people"),
  control: z
    .strictObject({
      rate: z.number().positive().optional().describe('control steps a second, Hz; else 10'),
      replan_steps: z
        .number()
        .int()
        .positive()
        .optional()
        .describe('actions executed before the next chunk; else 10'),
    })
    .optional(),
  cameras: z
    .array(
      placedCamera.extend({
        source: z.string().min(1).optional().describe('what datasets call it, where the policy renames it'),
      }),
    )
    .min(1)
    .optional(),
  proprio: z
    .strictObject({
      names: z
        .array(z.string().min(1))
        .optional()
        .describe('joints or other numbers, in the order of training'),
      units: z.array(z.string()).optional().describe('of each: rad, m, ...'),
    })
    .optional(),
  actions: z
    .strictObject({
      kind: z
        .enum(['joint_position', 'delta_pose', 'other'])
        .optional()
        .describe('absolute joint positions, a step of the end-effector, or anything else'),
      frame: z.string().optional().describe('frame that poses refer to'),
      names: z
        .array(z.string().min(1))
        .optional()
        .describe('joints as the controller calls them; else action_0, ...'),
      units: z.array(z.string()).optional().describe('of each action'),
      groups: z
        .array(z.string().min(1))
        .optional()
        .describe('a word for each action; those of one group are compared with each other'),
      gripper: z
        .array(
          z.strictObject({
            index: z.number().int().nonnegative().describe('of the action, from 0'),
            rule: z
              .enum(['libero', 'none'])
              .default('none')
              .describe('libero: g becomes -(2 g - 1); none: as the network gives it'),
            binarize: z.boolean().default(false).describe('send only -1 or 1'),
            threshold: z
              .number()
              .default(0)
              .describe('value at which open and shut meet, for counting flips'),
          }),
        )
        .optional(),
      limits: z
        .union(
          [
            z.literal('none'),
            z.strictObject({
              min: perDimension.optional().describe('smallest value of each action; null: no limit'),
              max: perDimension.optional().describe('largest value'),
              max_step: perDimension.optional().describe('largest change between two control steps'),
              max_velocity: perDimension.optional().describe('largest rate, unit / s'),
            }),
          ],
          { error: 'expected none, or some of min, max, max_step, max_velocity' },
        )
        .optional(),
    })
    .optional(),
});

export type RobotDescription = z.infer<typeof robotSchema>;

/** Reads a robot description (YAML). @throws UsageError with file, line and key */
export function readRobot(path: string): RobotDescription {
  const parsed = robotSchema.safeParse(readYaml(path));
  if (parsed.success) return parsed.data;
  const issue = innermost(parsed.error.issues[0]);
  if (issue?.code === 'unrecognized_keys') {
    const key = issue.keys[0] ?? '';
    const near = nearestName(key, keysOf(robotSchema));
    const where = [...issue.path, key].map(String).join('.');
    throw new UsageError(`${path}: unknown key ${where}${near ? `; did you mean ${near}?` : ''}`);
  }
  throw new UsageError(`${path}: ${issue?.path.map(String).join('.') || 'the document'}: ${issue?.message}`);
}

/** Where one of several forms was meant: what is wrong inside that one, rather than that none of them fits. */
function innermost(issue: z.core.$ZodIssue | undefined): z.core.$ZodIssue | undefined {
  if (issue?.code !== 'invalid_union') return issue;
  const inside = issue.errors
    .flat()
    .find(({ code, path }) => code === 'unrecognized_keys' || path.length > 0);
  return inside ? { ...inside, path: [...issue.path, ...inside.path] } : issue;
}

/** The names of all entries of a schema, at any depth. */
function keysOf(schema: unknown): readonly string[] {
  if (schema instanceof z.ZodObject) {
    return Object.entries(schema.shape).flatMap(([key, entry]) => [key, ...keysOf(entry)]);
  }
  if (schema instanceof z.ZodOptional) return keysOf(schema.unwrap());
  if (schema instanceof z.ZodArray) return keysOf(schema.element);
  if (schema instanceof z.ZodUnion) return schema.options.flatMap(keysOf);
  return [];
}

/** Parses YAML or JSON. @throws UsageError with file and line */
export function readYaml(path: string): unknown {
  try {
    return yamlValue(readYamlFile(path), path);
  } catch (error) {
    throw new UsageError(messageOf(error), { cause: error });
  }
}

/** A robot in full: what `bundle.json` records of it. */
export type RobotEntries = Pick<BundleManifest, 'control' | 'cameras'> & {
  readonly proprio: Pick<BundleManifest['proprio'], 'names' | 'units'>;
  readonly actions: Omit<BundleManifest['actions'], 'normaliser'>;
};

/** A description on top of another: what `over` says wins, group by group. */
export function mergeRobots(under: RobotDescription, over: RobotDescription): RobotDescription {
  return {
    ...under,
    ...over,
    control: { ...under.control, ...over.control },
    proprio: { ...under.proprio, ...over.proprio },
    actions: { ...under.actions, ...over.actions },
  };
}

/** A description that says nothing of units. */
export function withoutUnits(robot: RobotDescription): RobotDescription {
  const proprio = { ...robot.proprio };
  const actions = { ...robot.actions };
  delete proprio.units;
  delete actions.units;
  return { ...robot, proprio, actions };
}

/** Fills what a description leaves open: `action_0`, unit `normalised` (no statistics) or unstated. */
export function completeRobot(
  robot: RobotDescription,
  size: {
    actionDim: number;
    proprioDim: number;
    width: number;
    height: number;
    /** actions stay in the network's units */
    normalised: boolean;
    /** from the model's configuration, where the robot does not say */
    rate: number | undefined;
    replanSteps: number | undefined;
  },
): RobotEntries {
  const { actionDim, proprioDim } = size;
  const unit = size.normalised ? 'normalised' : '';
  const list = <T>(
    given: readonly T[] | undefined,
    count: number,
    what: string,
    fill: (i: number) => T,
  ): T[] => {
    if (given && given.length !== count) {
      throw new UsageError(
        `robot: ${what}: expected ${count} entries, as many as the checkpoint has, got ${given.length}`,
      );
    }
    return given ? [...given] : Array.from({ length: count }, (_, i) => fill(i));
  };
  const a = robot.actions ?? {};
  const names = list(a.names, actionDim, 'actions.names', (i) => `action_${i}`);
  const units = list(a.units, actionDim, 'actions.units', () => unit);
  const groups = list(a.groups, actionDim, 'actions.groups', () => 'action');
  return {
    control: {
      rate: robot.control?.rate ?? size.rate ?? DEFAULT_RATE,
      replan_steps: robot.control?.replan_steps ?? size.replanSteps ?? DEFAULT_REPLAN_STEPS,
    },
    cameras: robot.cameras ?? [
      { name: 'image', x: 0, y: 0, width: size.width, height: size.height, rotate180: false, fit: 'stretch' },
    ],
    proprio: {
      names: list(robot.proprio?.names, proprioDim, 'proprio.names', (i) => `proprio_${i}`),
      units: list(robot.proprio?.units, proprioDim, 'proprio.units', () => unit),
    },
    actions: {
      kind: a.kind ?? 'other',
      frame: a.frame ?? '',
      items: names.map((name, i) => ({ name, unit: units[i] ?? unit, group: groups[i] ?? 'action' })),
      gripper: a.gripper ?? [],
      limits: a.limits ?? null,
    },
  };
}
