import { ParameterTable } from './ParameterTable';
import { AUTOSTART, BOND_PERIOD, DIAGNOSTICS_FULL_NAME, DIAGNOSTICS_PERIOD } from './nodeParameters';

const OURS = 'this project';

/** How commands reach the robot. */
export const COMMAND_INTERFACES = ['forward', 'trajectory', 'twist'] as const;
export type CommandInterface = (typeof COMMAND_INTERFACES)[number];

/** How an incoming chunk joins the one that is followed; the formulas are in `executor/joins.ts`. */
export const JOINS = ['blend', 'latest', 'weighted', 'ensemble'] as const;
export type Join = (typeof JOINS)[number];

/** The parameters of the action executor, in the order in which they are documented. */
export const EXECUTOR_PARAMETERS = new ParameterTable([
  AUTOSTART,
  {
    name: 'bundle',
    settable: 'unconfigured',
    field: {
      type: 'text',
      default: '',
      description: 'folder of the bundle: names, meaning and limits of the actions are taken from it',
      source: OURS,
    },
  },
  {
    name: 'chunk_topic',
    settable: 'unconfigured',
    field: {
      type: 'text',
      default: 'fast_wam_policy/action_chunk',
      description: 'topic on which chunks come (fast_wam_msgs/msg/ActionChunk)',
      source: OURS,
    },
  },
  {
    name: 'state_topic',
    settable: 'unconfigured',
    field: {
      type: 'text',
      default: 'joint_states',
      description:
        'topic of the joint states (sensor_msgs/msg/JointState), where actions are joint positions: these move only while it is known where the robot is, and from there',
      source: OURS,
    },
  },
  {
    name: 'state_max_age',
    settable: 'live',
    field: {
      type: 'number',
      default: 0.5,
      min: 0.001,
      max: 60,
      description:
        'how old the position of a joint may be; beyond it the robot is held, where actions are joint positions',
      unit: 's',
      source: OURS,
    },
  },
  {
    name: 'command.interface',
    settable: 'unconfigured',
    field: {
      type: 'enum',
      values: COMMAND_INTERFACES,
      default: 'forward',
      description:
        'forward: ~/commands (std_msgs/msg/Float64MultiArray), as forward controllers take it; trajectory: ~/joint_trajectory (trajectory_msgs/msg/JointTrajectory, one point); twist: ~/twist (geometry_msgs/msg/TwistStamped) and ~/gripper (std_msgs/msg/Float64MultiArray), for steps of a pose',
      source: 'ros2_control, moveit_servo',
    },
  },
  {
    name: 'control.rate',
    settable: 'live',
    fromModel: ({ control }) => control.rate,
    field: {
      type: 'number',
      default: 10,
      min: 0.01,
      max: 1000,
      description: 'commands per second; chunks made for another rate are refused',
      unit: 'Hz',
      source: 'the bundle',
    },
  },
  {
    name: 'join',
    settable: 'live',
    field: {
      type: 'enum',
      values: JOINS,
      default: 'blend',
      description:
        'how an incoming chunk joins the one that is followed: blend fades in over blend_steps, latest switches at once, weighted takes 0.7 of the new and 0.3 of the old, ensemble the mean of all chunks that have an action for the moment; grippers take the newest',
      source: 'weighted: LeRobot; ensemble: ACT (arXiv 2304.13705); others: this project',
    },
  },
  {
    name: 'blend_steps',
    settable: 'live',
    field: {
      type: 'integer',
      default: 3,
      min: 0,
      max: 1000,
      description:
        'control steps over which an incoming chunk fades in (join: blend), and motion from rest; grippers do not fade. 0 switches at once',
      unit: 'steps',
      source: OURS,
    },
  },
  {
    name: 'deadline',
    settable: 'live',
    field: {
      type: 'number',
      default: 0.5,
      min: 0,
      max: 1e9,
      description:
        'how late the next chunk may be before the robot is held; until then the old chunk is followed on',
      unit: 's',
      source: OURS,
    },
  },
  {
    name: 'safety.limits',
    settable: 'live',
    field: {
      type: 'enum',
      values: ['clamp', 'refuse', 'none'],
      default: 'clamp',
      description:
        'commands outside the position, step and velocity limits of the bundle: clamp pulls them inside, refuse holds instead. none: no limits are enforced here, because the robot enforces its own. While the node is active they can only become stricter',
      source: OURS,
    },
  },
  DIAGNOSTICS_PERIOD,
  DIAGNOSTICS_FULL_NAME,
  BOND_PERIOD,
]);
