import { BLOCK_COLOURS, PLATE_COLOURS, type BlockColour, type PlateColour } from './geometry';
import type { SpeedName } from './speeds';

/** The suites after LIBERO's, and `dynamic`, in which the world moves by itself. */
export const SUITES = ['spatial', 'object', 'goal', 'long', 'dynamic'] as const;
export type Suite = (typeof SUITES)[number];

/** `clean`: nothing happens but what the robot and the suite do. `random`: objects also jump and slip (see Disturbances). */
export const CONDITIONS = ['clean', 'random'] as const;
export type Condition = (typeof CONDITIONS)[number];

/** A block that must end on a plate, as slots of the table. */
export interface Pair {
  readonly block: number;
  readonly plate: number;
}

/** Where the block of slot 0 stands as seen from the block of slot 1. */
export type Relation = 'left' | 'right' | 'upper' | 'lower';

export interface Task {
  readonly index: number;
  readonly suite: Suite;
  readonly instruction: string;
  /** Colour of the block in each used slot; `other` is drawn at reset, all blocks of different colours. */
  readonly blocks: readonly (BlockColour | 'other')[];
  /** Colour of the plate in each used slot. */
  readonly plates: readonly PlateColour[];
  /** What must be true at the same time, in the order in which the demonstrator does it. */
  readonly pairs: readonly Pair[];
  readonly relation?: Relation;
  /** The task's block drifts along a lane until it is taken. */
  readonly blockDrifts: boolean;
  /** The task's plate drifts along a lane, with what lies on it. */
  readonly plateDrifts: boolean;
  /** The task's block is pushed away now and then, and knocked out of the gripper. */
  readonly pushed: boolean;
}

type Scene = Pick<Task, 'blocks' | 'plates' | 'pairs'>;
type Draft = Omit<Task, 'index' | 'blockDrifts' | 'plateDrifts' | 'pushed'> &
  Partial<Pick<Task, 'blockDrifts' | 'plateDrifts' | 'pushed'>>;

const FIRST_TO_FIRST: readonly Pair[] = [{ block: 0, plate: 0 }];

/** The target and two blocks of other colours, one plate. */
function amongOthers(block: BlockColour, plate: PlateColour): Scene {
  return { blocks: [block, 'other', 'other'], plates: [plate], pairs: FIRST_TO_FIRST };
}

/** The target and one more block, all three plates. */
function amongPlates(block: BlockColour, second: BlockColour, plate: PlateColour): Scene {
  const pairs = [{ block: 0, plate: PLATE_COLOURS.indexOf(plate) }];
  return { blocks: [block, second], plates: PLATE_COLOURS, pairs };
}

const spatial = (['left', 'right', 'upper', 'lower'] as const).map((relation): Draft => ({
  suite: 'spatial',
  instruction: `pick up the ${relation} red block and place it on the white plate`,
  blocks: ['red', 'red'],
  plates: ['white'],
  pairs: FIRST_TO_FIRST,
  relation,
}));

const object = BLOCK_COLOURS.map((colour): Draft => ({
  suite: 'object',
  instruction: `pick up the ${colour} block and place it on the white plate`,
  ...amongOthers(colour, 'white'),
}));

const goal = (
  [
    ['red', 'white'],
    ['red', 'grey'],
    ['red', 'purple'],
    ['yellow', 'purple'],
  ] as const
).map(([block, plate]): Draft => ({
  suite: 'goal',
  instruction: `put the ${block} block on the ${plate} plate`,
  ...amongPlates(block, block === 'red' ? 'yellow' : 'red', plate),
}));

/** Slots of `long` are in the order of BLOCK_COLOURS and PLATE_COLOURS. */
const long = (
  [
    [
      [0, 0],
      [1, 1],
      [2, 2],
    ],
    [
      [2, 0],
      [0, 1],
      [1, 2],
    ],
    [
      [1, 0],
      [2, 1],
      [0, 2],
    ],
    [
      [0, 2],
      [1, 0],
      [2, 1],
    ],
  ] as const
).map((sequence): Draft => {
  const parts = sequence.map(
    ([block, plate]) => `the ${BLOCK_COLOURS[block]} block on the ${PLATE_COLOURS[plate]} plate`,
  );
  return {
    suite: 'long',
    instruction: `put ${parts.join(', then ')}`,
    blocks: ['red', 'green', 'blue'],
    plates: PLATE_COLOURS,
    pairs: sequence.map(([block, plate]) => ({ block, plate })),
  };
});

const dynamic: readonly Draft[] = [
  ...(['red', 'blue'] as const).map((colour): Draft => ({
    suite: 'dynamic',
    instruction: `pick up the moving ${colour} block and place it on the white plate`,
    ...amongOthers(colour, 'white'),
    blockDrifts: true,
  })),
  {
    suite: 'dynamic',
    instruction: 'put the red block on the moving grey plate',
    ...amongPlates('red', 'yellow', 'grey'),
    plateDrifts: true,
  },
  {
    suite: 'dynamic',
    instruction: 'put the yellow block on the moving purple plate',
    ...amongPlates('yellow', 'red', 'purple'),
    plateDrifts: true,
  },
  ...(
    [
      ['green', 'white'],
      ['yellow', 'grey'],
    ] as const
  ).map(([block, plate]): Draft => ({
    suite: 'dynamic',
    instruction: `put the moving ${block} block on the moving ${plate} plate`,
    blocks: [block, 'other'],
    plates: [plate],
    pairs: FIRST_TO_FIRST,
    blockDrifts: true,
    plateDrifts: true,
  })),
  {
    suite: 'dynamic',
    instruction: 'catch the green block and place it on the white plate',
    ...amongOthers('green', 'white'),
    pushed: true,
  },
  {
    suite: 'dynamic',
    instruction: 'catch the red block and put it on the purple plate',
    ...amongPlates('red', 'yellow', 'purple'),
    pushed: true,
  },
];

/** All tasks; the index is the task's number in files. The first 16 are the static ones. */
export const TASKS: readonly Task[] = [...spatial, ...object, ...goal, ...long, ...dynamic].map(
  (draft, index) => ({ blockDrifts: false, plateDrifts: false, pushed: false, ...draft, index }),
);

/** The tasks of a suite, in order. */
export function tasksOf(suite: Suite): readonly Task[] {
  return TASKS.filter((task) => task.suite === suite);
}

const STEP_LIMITS: Readonly<
  Record<SpeedName, Record<Condition, { single: number; dynamic: number; long: number }>>
> = {
  fast: {
    clean: { single: 110, dynamic: 160, long: 280 },
    random: { single: 160, dynamic: 200, long: 400 },
  },
  slow: {
    clean: { single: 250, dynamic: 330, long: 660 },
    random: { single: 330, dynamic: 400, long: 900 },
  },
};

/** Control steps after which an episode without success counts as failed. */
export function stepLimit(task: Task, condition: Condition, speed: SpeedName): number {
  const limits = STEP_LIMITS[speed][condition];
  return task.suite === 'long' ? limits.long : task.suite === 'dynamic' ? limits.dynamic : limits.single;
}
