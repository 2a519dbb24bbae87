import { UsageError } from '../../errors';
import { DIAGNOSTICS_FULL_NAME } from '../../settings/nodeParameters';
import { ParameterSet } from '../../settings/ParameterSet';
import { number, text, boolean } from '../../settings/parameterValues';
import { SIMULATED_ROBOT_PARAMETERS } from '../../settings/simulatedRobotParameters';
import type { Disturbances } from '../../sim/Disturbances';
import { planEpisodes, startDisturbances, startWorld } from '../../sim/episodes';
import type { EpisodePlan } from '../../sim/episodes';
import { CAMERAS, CAMERA_SIZE, colourise, renderCamera } from '../../sim/renderer';
import { CONTROL_RATE } from '../../sim/speeds';
import type { SpeedName } from '../../sim/speeds';
import type { TabletopWorld } from '../../sim/TabletopWorld';
import { SUITES, stepLimit } from '../../sim/tasks';
import type { Condition } from '../../sim/tasks';
import { ClockWatch } from '../node/ClockWatch';
import { Diagnostics, LEVEL } from '../node/Diagnostics';
import type { Status } from '../node/Diagnostics';
import { ParameterBridge } from '../node/ParameterBridge';
import { RepeatedProblems } from '../node/RepeatedProblems';
import { stateStatus } from '../node/stateStatus';
import { createNode } from '../client/createNode';
import { guardNode, safe } from '../client/guardNode';
import { qosProfiles } from '../client/qos';
import type { Rclnodejs, RosClient, RosNode, RosPublisher, RosTimer } from '../client/rclnodejs';
import { timeMessage } from '../../observation/stamp';
import { toWire } from '../client/toWire';
import { COMMAND_TYPE, RobotCommands } from './RobotCommands';
import { SimulatedTime } from './SimulatedTime';

const JOINTS = ['gripper_x', 'gripper_y', 'gripper_opening'];
const COMMANDS = '~/commands';
const CLOCK = '/clock';
const OPEN = 1;

interface Running {
  readonly plan: EpisodePlan;
  readonly world: TabletopWorld;
  readonly disturbances: Disturbances;
  readonly limit: number;
  step: number;
}

/**
 * The table-top world as a robot: cameras, joint states and instructions out, commands in, one control step after
 * another. It is the clock of all who use simulated time. Episodes follow one another; each says how it ended.
 *
 * The first episode waits for the first command, since loading a model takes its time. Without a command later on the
 * gripper stands still and goes on opening or closing as it was last told.
 */
export class SimulatedRobotNode {
  readonly #node: RosNode;
  readonly #parameters = new ParameterSet(SIMULATED_ROBOT_PARAMETERS);
  readonly #bridge: ParameterBridge;
  readonly #images: ReadonlyMap<string, RosPublisher>;
  readonly #joints: RosPublisher;
  readonly #instruction: RosPublisher;
  readonly #results: RosPublisher;
  readonly #reset: RosClient;
  readonly #commands: RobotCommands;
  readonly #diagnostics: Diagnostics;
  readonly #clock: ClockWatch;
  /** where the robot is the clock */
  readonly #time: SimulatedTime | undefined;
  /** where it is not */
  #timer: RosTimer | undefined;
  #started = false;
  #running: Running | undefined;
  #grip = OPEN;
  #episodes = 0;
  /** requests to set a parameter */
  #refused = 0;
  #successes = 0;
  #reported = { simulated: 0n, real: performance.now() };

  constructor({
    rclnodejs,
    name = 'simulated_robot',
  }: {
    readonly rclnodejs: Rclnodejs;
    readonly name?: string;
  }) {
    this.#node = createNode(rclnodejs, name);
    guardNode(this.#node);
    const repeated = new RepeatedProblems(this.#node.getLogger());
    const bridge = new ParameterBridge({
      rclnodejs,
      node: this.#node,
      set: this.#parameters,
      configured: () => this.#started,
      onRefused: (reason) => {
        this.#refused += 1;
        repeated.warn(`parameter ${reason}`, `a parameter was not set: ${reason}`);
      },
      onChange: (changes) => {
        if (changes.has('diagnostic_updater.period')) this.#diagnostics.setPeriod(this.#diagnosticsPeriod);
      },
    });
    const [problem] = bridge.problems;
    if (problem !== undefined) throw new UsageError(problem);
    for (const warning of bridge.warnings) this.#node.getLogger().warn(warning);
    this.#bridge = bridge;

    const { command, latched } = qosProfiles(rclnodejs);
    // Drivers publish reliably, so that every kind of subscriber hears them (REP 2003).
    const publisher = (type: string, topic: string, qos = command): RosPublisher =>
      this.#node.createPublisher(type, topic, { qos });
    this.#images = new Map(
      CAMERAS.map((camera) => [camera, publisher('sensor_msgs/msg/Image', `${camera}/image_raw`)]),
    );
    this.#joints = publisher('sensor_msgs/msg/JointState', 'joint_states');
    this.#instruction = publisher('std_msgs/msg/String', 'instruction', latched);
    this.#results = publisher('fast_wam_msgs/msg/EpisodeResult', '~/episode_result', latched);
    this.#reset = this.#node.createClient(
      'std_srvs/srv/Trigger',
      `${text(this.#parameters.values, 'policy')}/reset_episode`,
    );
    this.#commands = new RobotCommands({
      names: ['dx', 'dy', 'grip'],
      onRefused: (kind, sentence) => repeated.warn(kind, sentence),
    });
    this.#node.createSubscription(COMMAND_TYPE, COMMANDS, { qos: command, isRaw: true }, (message) =>
      this.#commands.take(message as Uint8Array),
    );
    this.#time = boolean(this.#parameters.values, 'clock') ? this.#becomeClock(publisher) : undefined;
    this.#diagnostics = new Diagnostics(
      {
        node: this.#node,
        hardwareId: () => 'tabletop',
        qualified: () => boolean(this.#parameters.values, DIAGNOSTICS_FULL_NAME.name),
        statuses: () => [this.#state(), this.#episodeStatus(), this.#commandStatus(), this.#clockStatus()],
      },
      this.#diagnosticsPeriod,
    );
    this.#clock = new ClockWatch(this.#node, ({ level, message }) => {
      if (level === LEVEL.error) this.#node.getLogger().error(message);
      this.#diagnostics.publish();
    });
  }

  start(): Promise<void> {
    this.#node.spin();
    this.#started = true;
    this.#beginEpisode();
    this.#announce();
    if (this.#time) this.#time.start();
    else {
      const period = BigInt(Math.round(1e9 / CONTROL_RATE));
      this.#timer = this.#node.createTimer(period, () => this.#step(this.#node.getClock().now().nanoseconds));
    }
    return Promise.resolve();
  }

  stop(): void {
    this.#time?.stop();
    if (this.#timer) this.#node.destroyTimer(this.#timer);
    this.#timer = undefined;
    this.#diagnostics.stop();
    this.#clock.stop();
  }

  get #diagnosticsPeriod(): number {
    return number(this.#parameters.values, 'diagnostic_updater.period');
  }

  #becomeClock(publisher: (type: string, topic: string) => RosPublisher): SimulatedTime {
    const clock = publisher('rosgraph_msgs/msg/Clock', CLOCK);
    const tick = (now: bigint, step: boolean): void => {
      clock.publish({ clock: timeMessage(now) });
      if (step) this.#step(now);
    };
    return new SimulatedTime({
      period: BigInt(Math.round(1e9 / CONTROL_RATE)),
      factor: () => number(this.#parameters.values, 'real_time_factor'),
      onTick: safe(tick, (error) => this.#node.getLogger().error(`a control step failed: ${String(error)}`)),
    });
  }

  // ----------------------------------------------------------------------------------------------------------- episodes

  #beginEpisode(): void {
    const { values } = this.#parameters;
    const suite = SUITES.find((name) => name === text(values, 'suite')) ?? 'object';
    const plan = planEpisodes(this.#episodes + 1, [suite], {
      seed: number(values, 'seed'),
      speed: text(values, 'speed') as SpeedName,
      condition: text(values, 'condition') as Condition,
    })[this.#episodes];
    if (!plan) throw new UsageError(`there is no episode ${this.#episodes}`);
    this.#running = {
      plan,
      world: startWorld(plan),
      disturbances: startDisturbances(plan),
      limit: stepLimit(plan.task, plan.condition, plan.speed),
      step: 0,
    };
    this.#commands.forget();
    this.#grip = OPEN;
    this.#node.getLogger().info(`episode ${plan.index}: ${plan.task.instruction}`);
  }

  /** Tells the policy that an episode begins: by another instruction, or where it is the same one, by a reset. */
  #announce(before?: string): void {
    const instruction = this.#running?.plan.task.instruction;
    if (instruction === undefined) return;
    if (instruction !== before) this.#instruction.publish({ data: instruction });
    else if (this.#reset.isServiceServerAvailable()) this.#reset.sendRequest({}, () => undefined);
  }

  /** One control step of the world, then what the robot sees. `now`: nanoseconds of the clock of all. */
  #step(now: bigint): void {
    const running = this.#running;
    if (!running) return;
    const { world, plan, disturbances, limit } = running;
    const command = this.#commands.next();
    if (this.#commands.accepted > 0) {
      this.#grip = command?.[2] ?? this.#grip;
      world.step(command ?? Float64Array.of(0, 0, this.#grip));
      disturbances.afterStep(world, running.step);
      running.step += 1;
    }
    const over = world.success || running.step >= limit;
    if (over) {
      this.#endEpisode(running, now);
      this.#beginEpisode();
    }
    // A policy that hears of the new episode should see it, not the end of the old one: frames first.
    this.#publishSensors(now);
    if (over) this.#announce(plan.task.instruction);
  }

  #endEpisode({ world: { success }, plan, limit, step }: Running, now: bigint): void {
    this.#episodes += 1;
    if (success) this.#successes += 1;
    this.#results.publish({
      header: { stamp: timeMessage(now), frame_id: '' },
      episode: plan.index,
      suite: plan.task.suite,
      instruction: plan.task.instruction,
      success,
      steps: step,
      step_limit: limit,
      episodes: this.#episodes,
      successes: this.#successes,
    });
    const how = success ? `succeeded after ${step} steps` : 'ran out of steps';
    this.#node
      .getLogger()
      .info(`episode ${plan.index} ${how}: ${this.#successes} of ${this.#episodes} succeeded`);
  }

  #publishSensors(now: bigint): void {
    const world = this.#running?.world;
    if (!world) return;
    const stamp = timeMessage(now);
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

  // -------------------------------------------------------------------------------------------------------- diagnostics

  #state(): Status {
    const state = !this.#started ? 'starting' : this.#commands.accepted === 0 ? 'waiting' : 'running';
    return stateStatus(state, [], { 'refused, parameter': this.#refused }, this.#bridge.misspelt);
  }

  #episodeStatus(): Status {
    const running = this.#running;
    const waiting = this.#commands.accepted === 0;
    return {
      name: 'Episodes',
      level: LEVEL.ok,
      message: waiting
        ? 'waiting for the first command'
        : `${this.#successes} of ${this.#episodes} succeeded`,
      values: {
        episode: running?.plan.index ?? 0,
        suite: running?.plan.task.suite ?? '',
        instruction: running?.plan.task.instruction ?? '',
        step: running?.step ?? 0,
        'step limit': running?.limit ?? 0,
        episodes: this.#episodes,
        succeeded: this.#successes,
      },
    };
  }

  #commandStatus(): Status {
    const topic = this.#node.resolveTopicName(COMMANDS);
    const types = this.#node.getTopicNamesAndTypes().find(({ name }) => name === topic)?.types ?? [];
    const others = types.filter((type) => type !== COMMAND_TYPE);
    return this.#commands.status(topic, others, this.#node.countPublishers(topic));
  }

  #clockStatus(): Status {
    if (!this.#time) return this.#clock.status;
    const publishers = this.#node.countPublishers(CLOCK);
    const [simulated, real] = [this.#time.now, performance.now()];
    const achieved = Number(simulated - this.#reported.simulated) / 1e6 / (real - this.#reported.real);
    this.#reported = { simulated, real };
    return {
      name: 'Clock',
      level: publishers > 1 ? LEVEL.warn : LEVEL.ok,
      message:
        publishers > 1
          ? `${publishers} nodes publish ${CLOCK}: let only one be the clock`
          : `the robot is the clock, ${achieved.toFixed(2)} times real time`,
      values: {
        'simulated time': `${(Number(simulated) / 1e9).toFixed(1)} s`,
        real_time_factor: number(this.#parameters.values, 'real_time_factor'),
        'real_time_factor achieved': achieved.toFixed(2),
      },
    };
  }
}
