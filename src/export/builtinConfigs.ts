import type { RobotDescription } from './robot';

/** The sizes that both released checkpoints share. Source: `configs/model/fastwam.yaml` of the original. */
const RELEASED = {
  horizon: 32,
  layers: 30,
  heads: 24,
  head_dim: 128,
  video_dim: 3072,
  video_ffn: 14336,
  action_hidden: 1024,
  action_ffn: 4096,
  text_dim: 4096,
  freq_dim: 256,
  vae_dim: 160,
  context_len: 128,
  steps: 10,
  shift: 5,
  eps: 1e-6,
} as const;

/** LIBERO runs its controller at 20 Hz. */
const LIBERO_RATE = 20;
/** RoboTwin 2.0 stores a frame every 15 simulation steps of 1/250 s. */
const ROBOTWIN_RATE = 250 / 15;

const LIBERO_ROBOT: RobotDescription = {
  name: 'libero',
  control: { rate: LIBERO_RATE, replan_steps: 10 },
  cameras: [
    { name: 'image', x: 0, y: 0, width: 224, height: 224, rotate180: true, fit: 'cover' },
    { name: 'wrist_image', x: 224, y: 0, width: 224, height: 224, rotate180: true, fit: 'cover' },
  ],
  proprio: {
    names: ['x', 'y', 'z', 'rx', 'ry', 'rz', 'gripper_left', 'gripper_right'],
    units: ['m', 'm', 'm', 'rad', 'rad', 'rad', 'm', 'm'],
  },
  actions: {
    kind: 'delta_pose',
    frame: 'robot0_base',
    names: ['dx', 'dy', 'dz', 'drx', 'dry', 'drz', 'gripper'],
    units: ['', '', '', '', '', '', ''],
    groups: ['translation', 'translation', 'translation', 'rotation', 'rotation', 'rotation', 'gripper'],
    gripper: [{ index: 6, rule: 'libero', binarize: true, threshold: 0 }],
    // LIBERO's controller takes commands in [-1, 1] and scales them itself.
    limits: { min: [-1, -1, -1, -1, -1, -1, -1], max: [1, 1, 1, 1, 1, 1, 1] },
  },
};

const ARM = ['waist', 'shoulder', 'elbow', 'forearm_roll', 'wrist_angle', 'wrist_rotate', 'gripper'];
const BOTH_ARMS = ['left', 'right'].flatMap((side) => ARM.map((joint) => `${side}_${joint}`));
const ARM_UNITS = ['rad', 'rad', 'rad', 'rad', 'rad', 'rad', ''];

const ROBOTWIN_ROBOT: RobotDescription = {
  name: 'robotwin',
  control: { rate: ROBOTWIN_RATE, replan_steps: 24 },
  cameras: [
    { name: 'cam_high', x: 0, y: 0, width: 320, height: 256, rotate180: false, fit: 'stretch' },
    { name: 'cam_left_wrist', x: 0, y: 256, width: 160, height: 128, rotate180: false, fit: 'stretch' },
    { name: 'cam_right_wrist', x: 160, y: 256, width: 160, height: 128, rotate180: false, fit: 'stretch' },
  ],
  proprio: { names: BOTH_ARMS, units: [...ARM_UNITS, ...ARM_UNITS] },
  actions: {
    kind: 'joint_position',
    frame: '',
    names: BOTH_ARMS,
    units: [...ARM_UNITS, ...ARM_UNITS],
    groups: BOTH_ARMS.map((name) => {
      const side = name.startsWith('left') ? 'left' : 'right';
      return name.endsWith('gripper') ? `${side}_gripper` : `${side}_joints`;
    }),
    gripper: [6, 13].map((index) => ({ index, rule: 'none' as const, binarize: false, threshold: 0.5 })),
  },
};

/** A configuration file's content and the robot that goes with it. */
export interface BuiltinConfig {
  readonly config: Readonly<Record<string, unknown>>;
  readonly robot: RobotDescription;
}

/** The released checkpoints' configurations: `--config libero`, `--config robotwin`. */
export const BUILTIN_CONFIGS: Readonly<Record<string, BuiltinConfig>> = {
  libero: {
    config: {
      ...RELEASED,
      height: 224,
      width: 448,
      action_dim: 7,
      proprio_dim: 8,
      normalisation: 'min/max',
    },
    robot: LIBERO_ROBOT,
  },
  robotwin: {
    config: {
      ...RELEASED,
      height: 384,
      width: 320,
      action_dim: 14,
      proprio_dim: 14,
      normalisation: 'z-score',
    },
    robot: ROBOTWIN_ROBOT,
  },
};
