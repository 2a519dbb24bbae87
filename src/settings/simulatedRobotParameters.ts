import { ParameterTable } from './ParameterTable';

const OURS = 'this project';

/** The parameters of the simulated robot. Suites, conditions and speeds are checked by the simulation. */
export const SIMULATED_ROBOT_PARAMETERS = new ParameterTable([
  {
    name: 'suite',
    settable: 'unconfigured',
    field: {
      type: 'enum',
      values: ['spatial', 'object', 'goal', 'long', 'dynamic'],
      default: 'object',
      description: 'suite whose tasks follow one another',
      source: OURS,
    },
  },
  {
    name: 'condition',
    settable: 'unconfigured',
    field: {
      type: 'enum',
      values: ['clean', 'random'],
      default: 'clean',
      description: 'random: objects are moved and slip from the gripper now and then',
      source: OURS,
    },
  },
  {
    name: 'speed',
    settable: 'unconfigured',
    field: {
      type: 'enum',
      values: ['fast', 'slow'],
      default: 'slow',
      description: 'how far the robot moves in one control step',
      source: OURS,
    },
  },
  {
    name: 'seed',
    settable: 'unconfigured',
    field: {
      type: 'integer',
      default: 0,
      min: 0,
      max: 2 ** 31 - 1,
      description: 'seed of the episodes: the same seed is the same episodes',
      source: OURS,
    },
  },
  {
    name: 'policy',
    settable: 'unconfigured',
    field: {
      type: 'text',
      default: 'fast_wam_policy',
      description:
        'name of the policy node, whose episode is reset where two episodes have the same instruction',
      source: OURS,
    },
  },
]);
