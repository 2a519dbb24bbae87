import { ParameterTable } from './ParameterTable';
import { DIAGNOSTICS_FULL_NAME, DIAGNOSTICS_PERIOD } from './nodeParameters';

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
  {
    name: 'clock',
    settable: 'unconfigured',
    field: {
      type: 'boolean',
      default: true,
      description:
        'be the clock: publish the simulated time on /clock, for nodes with use_sim_time; false: live in the time of the node, for other nodes without it',
      source: 'simulators as Gazebo',
    },
  },
  {
    name: 'real_time_factor',
    settable: 'live',
    field: {
      type: 'number',
      default: 1,
      min: 0.01,
      max: 100,
      description:
        'simulated seconds in a real one, where the robot is the clock; a machine that is too slow for it gives less',
      source: 'simulators as Gazebo',
    },
  },
  DIAGNOSTICS_PERIOD,
  DIAGNOSTICS_FULL_NAME,
]);
