import { UsageError } from '../errors';
import { ParameterSet } from '../settings/ParameterSet';
import { number, text } from '../settings/parameterValues';
import { SIMULATED_ROBOT_PARAMETERS } from '../settings/simulatedRobotParameters';
import type { Disturbances } from '../sim/Disturbances';
import { planEpisodes, startDisturbances, startWorld } from '../sim/episodes';
import type { EpisodePlan } from '../sim/episodes';
import { CAMERAS, CAMERA_SIZE, colourise, renderCamera } from '../sim/renderer';
import { CONTROL_RATE } from '../sim/speeds';
import type { SpeedName } from '../sim/speeds';
import type { TabletopWorld } from '../sim/TabletopWorld';
import { SUITES, stepLimit } from '../sim/tasks';
import type { Condition } from '../sim/tasks';
import { Diagnostics, LEVEL } from './Diagnostics';
import type { Status } from './Diagnostics';
import { ParameterBridge } from './ParameterBridge';
import { decodeMessage } from './decodeMessage';
import { guardNode } from './guardNode';
import { qosProfiles } from './qos';
import type { QosProfiles } from './qos';
import type { Rclnodejs, RosClient, RosNode, RosPublisher, RosTimer } from './rclnodejs';
import { timeMessage } from './time';
import { toWire } from './toWire';

const JOINTS = ['gripper_x', 'gripper_y', 'gripper_opening'];
/** Without a command the robot stays, open. */
const WAIT = Float64Array.of(0, 0, 1);
/** Control steps after which a command no longer counts. */
const COMMAND_LIFE = 2;

interface Running {
  readonly plan: EpisodePlan;
  readonly world: TabletopWorld;
  readonly disturbances: Disturbances;
  step: number;
}

/**
 * The table-top world as a robot: cameras, joint states and instructions out, commands in, one control step after
 * another. Episodes follow one another; each says how it ended.
 */
export class SimulatedRobotNode {
  readonly #node: RosNode;
  readonly #qos: QosProfiles;
  readonly #parameters = new ParameterSet(SIMULATED_ROBOT_PARAMETERS);
  readonly #images: ReadonlyMap<string, RosPublisher>;
  readonly #joints: RosPublisher;
  readonly #instruction: RosPublisher;
  readonly #reset: RosClient;
  readonly #diagnostics: Diagnostics;
  #timer: RosTimer | undefined;
  #running: Running | undefined;
  #command: { readonly values: Float64Array; readonly step: number } | undefined;
  #episodes = 0;
  #successes = 0;

  constructor({
    rclnodejs,
    name = 'simulated_robot',
  }: {
    readonly rclnodejs: Rclnodejs;
    readonly name?: string;
  }) {
    this.#node = new rclnodejs.Node(name);
    guardNode(this.#node);
    this.#qos = qosProfiles(rclnodejs);
    const bridge = new ParameterBridge({
      rclnodejs,
      node: this.#node,
      set: this.#parameters,
      configured: () => this.#timer !== undefined,
      onChange: () => undefined,
    });
    const [problem] = bridge.problems;
    if (problem !== undefined) throw new UsageError(problem);
    // Drivers publish reliably, so that every kind of subscriber hears them (REP 2003).
    const qos = this.#qos.command;
    this.#images = new Map(
      CAMERAS.map((camera) => [
        camera,
        this.#node.createPublisher('sensor_msgs/msg/Image', `${camera}/image_raw`, { qos }),
      ]),
    );
    this.#joints = this.#node.createPublisher('sensor_msgs/msg/JointState', 'joint_states', { qos });
    this.#instruction = this.#node.createPublisher('std_msgs/msg/String', 'instruction', {
      qos: this.#qos.latched,
    });
    this.#reset = this.#node.createClient(
      'std_srvs/srv/Trigger',
      `${text(this.#parameters.values, 'policy')}/reset_episode`,
    );
    this.#node.createSubscription(
      'std_msgs/msg/Float64MultiArray',
      '~/commands',
      { qos, isRaw: true },
      (message) => {
        const { data } = decodeMessage.vector('std_msgs/msg/Float64MultiArray', message as Uint8Array) as {
          data: Float64Array;
        };
        if (data.length === WAIT.length && data.every(Number.isFinite)) {
          this.#command = { values: data, step: this.#running?.step ?? 0 };
        }
      },
    );
    this.#diagnostics = new Diagnostics(
      { node: this.#node, hardwareId: () => 'tabletop', statuses: () => [this.#status()] },
      1,
    );
  }

  start(): Promise<void> {
    this.#node.spin();
    this.#nextEpisode();
    this.#timer = this.#node.createTimer(BigInt(Math.round(1e9 / CONTROL_RATE)), () => this.#step());
    return Promise.resolve();
  }

  stop(): void {
    if (this.#timer) this.#node.destroyTimer(this.#timer);
    this.#timer = undefined;
    this.#diagnostics.stop();
  }

  #nextEpisode(): void {
    const { values } = this.#parameters;
    const suite = SUITES.find((name) => name === text(values, 'suite')) ?? 'object';
    const plan = planEpisodes(this.#episodes + 1, [suite], {
      seed: number(values, 'seed'),
      speed: text(values, 'speed') as SpeedName,
      condition: text(values, 'condition') as Condition,
    })[this.#episodes];
    if (!plan) throw new UsageError(`there is no episode ${this.#episodes}`);
    const before = this.#running?.plan.task.instruction;
    this.#running = { plan, world: startWorld(plan), disturbances: startDisturbances(plan), step: 0 };
    this.#command = undefined;
    const { instruction } = plan.task;
    this.#node.getLogger().info(`episode ${plan.index}: ${instruction}`);
    // A new instruction is a new episode to the policy; the same one again is not.
    if (instruction !== before) this.#instruction.publish({ data: instruction });
    else if (this.#reset.isServiceServerAvailable()) this.#reset.sendRequest({}, () => undefined);
  }

  #step(): void {
    const running = this.#running;
    if (!running) return;
    const { world, plan, disturbances } = running;
    const { values, step = -Infinity } = this.#command ?? {};
    world.step(values && running.step - step < COMMAND_LIFE ? values : WAIT);
    disturbances.afterStep(world, running.step);
    running.step += 1;
    const over = running.step >= stepLimit(plan.task, plan.condition, plan.speed);
    if (world.success || over) {
      this.#episodes += 1;
      if (world.success) this.#successes += 1;
      this.#node
        .getLogger()
        .info(
          `episode ${plan.index} ${world.success ? `succeeded after ${running.step} steps` : 'ran out of steps'}: ${this.#successes} of ${this.#episodes}`,
        );
      this.#nextEpisode();
    }
    this.#publish();
  }

  #publish(): void {
    const world = this.#running?.world;
    if (!world) return;
    const stamp = timeMessage(this.#node.getClock().now().nanoseconds);
    for (const camera of CAMERAS) {
      this.#images.get(camera)?.publish({
        header: { stamp, frame_id: camera },
        height: CAMERA_SIZE,
        width: CAMERA_SIZE,
        encoding: 'rgb8',
        is_bigendian: 0,
        step: CAMERA_SIZE * 3,
        data: toWire.bytes(colourise(renderCamera(world, camera))),
      });
    }
    this.#joints.publish({
      header: { stamp, frame_id: '' },
      name: JOINTS,
      position: toWire.float64(world.proprio()),
      velocity: toWire.float64([]),
      effort: toWire.float64([]),
    });
  }

  #status(): Status {
    const running = this.#running;
    return {
      name: 'Episodes',
      level: LEVEL.ok,
      message: `${this.#successes} of ${this.#episodes} succeeded`,
      values: {
        episode: running?.plan.index ?? 0,
        instruction: running?.plan.task.instruction ?? '',
        step: running?.step ?? 0,
        succeeded: this.#successes,
      },
    };
  }
}
