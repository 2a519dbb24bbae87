import { join } from 'node:path';
import { MANIFEST_FILE, readManifest } from '../../bundle/Bundle';
import type { BundleManifest } from '../../bundle/schema';
import { UsageError } from '../../errors';
import { ChunkExecutor } from '../../executor/ChunkExecutor';
import type { ChunkRefusal, Command, ExecutableChunk } from '../../executor/ChunkExecutor';
import { commandDimensions } from '../../executor/dimensions';
import { modelFacts } from '../../policy/modelFacts';
import { readVector } from '../../observation/readVector';
import { toSeconds } from '../../observation/stamp';
import { EXECUTOR_PARAMETERS } from '../../settings/executorParameters';
import type { CommandInterface } from '../../settings/executorParameters';
import { ParameterSet } from '../../settings/ParameterSet';
import { number, text } from '../../settings/parameterValues';
import type { ParameterValues } from '../../settings/parameterValues';
import { LEVEL } from '../node/Diagnostics';
import type { Status } from '../node/Diagnostics';
import { ManagedNode } from '../node/ManagedNode';
import { decodeMessage } from '../client/decodeMessage';
import type {
  Rclnodejs,
  RosLifecycleNode,
  RosPublisher,
  RosResponse,
  RosSubscription,
  RosTimer,
  TimeMessage,
} from '../client/rclnodejs';
import { JumpDetector, timeMessage } from '../client/time';
import { toWire } from '../client/toWire';
import { commandWriter } from './commandWriters';
import type { CommandWriter } from './commandWriters';

/** fast_wam_msgs/msg/ActionChunk, as much of it as is read here. */
interface ActionChunkMessage {
  readonly header: { readonly stamp: TimeMessage };
  readonly episode: number;
  readonly chunk: number;
  readonly action_names: readonly string[];
  readonly actions: Float32Array;
  readonly period: number;
  readonly replan_steps: number;
}

/** fast_wam_msgs/msg/ExecutorState */
const MODE = { waiting: 0, executing: 1, holding: 2, paused: 3 } as const;

/** What is there from `configure` to `cleanup`. */
interface Configured {
  readonly manifest: BundleManifest;
  readonly writer: CommandWriter;
  readonly subscriptions: readonly RosSubscription[];
  executor: ChunkExecutor;
}

/** A chunk that was taken over, and its number. */
interface Taken {
  readonly executable: ExecutableChunk;
  readonly episode: number;
  readonly chunk: number;
}

interface SetBoolResponse {
  success: boolean;
  message: string;
}

const REFUSAL_TEXT: Readonly<Record<ChunkRefusal, string>> = {
  shape: 'its actions are not [horizon, action_names]',
  period: 'it was made for another control rate; set control.rate of policy and executor to the same',
  not_finite: 'it holds a number that is not finite',
  outdated: 'it was made from an older observation than the one being executed',
  expired: 'all its actions are in the past; inference takes longer than the horizon, or the clocks differ',
  future: 'it begins more than a step from now; the clocks differ',
  paused: 'the executor is paused',
};

/** Milliseconds after which the state is published again although it has not changed. */
const STATE_PERIOD = 1000;

/**
 * Executes chunks as a managed node: one command each control period, joined over the seams, held inside the limits of
 * the bundle, and standing still when chunks stop coming.
 */
export class ExecutorNode {
  readonly #managed: ManagedNode;
  readonly #node: RosLifecycleNode;
  readonly #parameters = new ParameterSet(EXECUTOR_PARAMETERS);
  readonly #states: RosPublisher;
  readonly #clock = new JumpDetector();
  #configured: Configured | undefined;
  #timer: RosTimer | undefined;
  /** nominal time of the next command, seconds */
  #next: number | undefined;
  #taken: Taken | undefined;
  #last: Command | undefined;
  #seamJump = 0;
  #stateSaid = { text: '', at: 0 };
  readonly #reported = { held: 0, limited: 0 };

  constructor({
    rclnodejs,
    name = 'action_executor',
  }: {
    readonly rclnodejs: Rclnodejs;
    readonly name?: string;
  }) {
    this.#managed = new ManagedNode({
      rclnodejs,
      name,
      parameters: this.#parameters,
      handlers: {
        configure: () => this.#configure(),
        activate: () => this.#activate(),
        deactivate: () => this.#deactivate(),
        cleanup: () => this.#free(),
        shutdown: () => this.#free(),
        recover: () => this.#free(),
      },
      configured: () => this.#configured !== undefined,
      onChange: (changes) => this.#apply(changes),
      hardwareId: () => this.#configured?.manifest.name ?? 'none',
      statuses: () => this.#statuses(),
    });
    this.#node = this.#managed.node;
    this.#states = this.#node.createPublisher('fast_wam_msgs/msg/ExecutorState', '~/state', {
      qos: this.#managed.qos.latched,
    });
    this.#node.createService<SetBoolResponse>('std_srvs/srv/SetBool', '~/pause', {}, (request, response) =>
      this.#servePause((request as { data: boolean }).data, response),
    );
  }

  /** Begins to serve; with `autostart`, configures and activates. */
  start(): Promise<void> {
    return this.#managed.start();
  }

  /** Commands nothing more; a robot that moves by velocity is told to stand still. */
  stop(): void {
    if (this.#timer) this.#deactivate();
    this.#managed.stop();
  }

  get #values(): ParameterValues {
    return this.#parameters.values;
  }

  // -------------------------------------------------------------------------------------------------------- transitions

  #configure(): void {
    this.#managed.checkLaunch();
    const folder = text(this.#values, 'bundle');
    if (folder === '')
      throw new UsageError('the parameter bundle is not set; it names the folder that `fastwam export` made');
    const manifest = readManifest(join(folder, MANIFEST_FILE));
    this.#managed.bridge.useModel(modelFacts({ folder, manifest }));
    const executor = this.#makeExecutor(manifest);
    const writer = commandWriter(text(this.#values, 'command.interface') as CommandInterface, {
      node: this.#node,
      actions: manifest.actions,
      qos: this.#managed.qos.command,
    });
    const chunkTopic = text(this.#values, 'chunk_topic');
    const stateTopic = text(this.#values, 'state_topic');
    const subscriptions = [
      this.#node.createSubscription(
        'fast_wam_msgs/msg/ActionChunk',
        chunkTopic,
        { qos: this.#managed.qos.command },
        (message) => this.#onChunk(message as ActionChunkMessage),
      ),
    ];
    if (manifest.actions.kind === 'joint_position' && stateTopic !== '') {
      subscriptions.push(
        this.#node.createSubscription(
          'sensor_msgs/msg/JointState',
          stateTopic,
          { qos: this.#managed.qos.sensor, isRaw: true },
          (message) => this.#onJoints(message as Uint8Array, stateTopic),
        ),
      );
    }
    this.#configured = { manifest, writer, subscriptions, executor };
  }

  #activate(): void {
    const configured = this.#configured;
    if (!configured) throw new UsageError('nothing is configured');
    configured.executor = this.#makeExecutor(configured.manifest);
    this.#taken = undefined;
    this.#last = undefined;
    this.#startTimer();
  }

  #deactivate(): void {
    this.#stopTimer();
    const { executor, writer, manifest } = this.#configured ?? {};
    executor?.pause();
    // Positions hold themselves; a velocity goes on until told otherwise.
    if (writer && manifest?.actions.kind === 'delta_pose' && this.#last?.values) {
      const still = executor?.command(this.#seconds()).values;
      if (still) writer.write(still, this.#period, this.#now());
    }
    this.#taken = undefined;
    this.#last = undefined;
    this.#publishState();
  }

  #free(): void {
    this.#stopTimer();
    const configured = this.#configured;
    this.#configured = undefined;
    this.#managed.bridge.useModel(undefined);
    if (!configured) return;
    for (const subscription of configured.subscriptions) this.#node.destroySubscription(subscription);
    configured.writer.destroy();
  }

  // ------------------------------------------------------------------------------------------------------------ the run

  get #period(): number {
    return 1 / number(this.#values, 'control.rate');
  }

  #now(): bigint {
    return this.#node.getClock().now().nanoseconds;
  }

  #seconds(): number {
    return toSeconds(this.#now());
  }

  #makeExecutor({ actions }: BundleManifest): ChunkExecutor {
    const limits = text(this.#values, 'safety.limits');
    const stated = limits === 'none' ? ('none' as const) : actions.limits;
    return new ChunkExecutor({
      dimensions: commandDimensions({ ...actions, limits: stated }),
      period: this.#period,
      blendSteps: number(this.#values, 'blend_steps'),
      deadline: number(this.#values, 'deadline'),
      limitPolicy: limits === 'refuse' ? 'refuse' : 'clamp',
    });
  }

  #startTimer(): void {
    this.#stopTimer();
    this.#next = undefined;
    this.#timer = this.#node.createTimer(BigInt(Math.round(this.#period * 1e9)), () => this.#step());
  }

  #stopTimer(): void {
    if (this.#timer) this.#node.destroyTimer(this.#timer);
    this.#timer = undefined;
  }

  #step(): void {
    const configured = this.#configured;
    if (!configured || !this.#timer) return;
    const now = this.#now();
    if (this.#clock.jumpedBack(now)) {
      this.#managed.logger.warn('the time has jumped back: all chunks are forgotten');
      configured.executor.reset();
      this.#taken = undefined;
      this.#next = undefined;
    }
    const command = configured.executor.command(this.#nominal(toSeconds(now)));
    if (command.values) configured.writer.write(command.values, this.#period, now);
    if (
      command.state === 'holding' &&
      command.reason &&
      command.reason !== 'no_chunk' &&
      command.reason !== 'paused'
    ) {
      this.#managed.repeated.warn(`hold ${command.reason}`, `the robot is held: ${holdText(command.reason)}`);
    }
    this.#last = command;
    this.#publishState();
  }

  /** Timers come a little early or late; the commands' times are whole periods apart unless one was missed. */
  #nominal(now: number): number {
    const expected = this.#next ?? now;
    const time = Math.abs(now - expected) < this.#period / 2 ? expected : now;
    this.#next = time + this.#period;
    return time;
  }

  #onChunk(message: ActionChunkMessage): void {
    const configured = this.#configured;
    if (!configured || !this.#timer) return;
    const names = configured.manifest.actions.items.map(({ name }) => name);
    if (message.action_names.join() !== names.join()) {
      this.#managed.repeated.warn(
        'names',
        `a chunk was refused: its actions are ${message.action_names.join(', ')}, the bundle's ${names.join(', ')}`,
      );
      return;
    }
    const { stamp } = message.header;
    const executable: ExecutableChunk = {
      stamp: stamp.sec + stamp.nanosec / 1e9,
      period: message.period,
      replanSteps: message.replan_steps,
      actions: message.actions,
    };
    const now = this.#seconds();
    const refusal = configured.executor.accept(executable, now);
    if (refusal !== undefined) {
      this.#managed.repeated.warn(
        `refused ${refusal}`,
        `chunk ${message.chunk} was refused: ${REFUSAL_TEXT[refusal]}`,
      );
      return;
    }
    this.#seamJump = seamJump(this.#taken?.executable, executable, names.length, now);
    this.#taken = { executable, episode: message.episode, chunk: message.chunk };
  }

  /** Where the robot is before the first command: that one must be near. */
  #onJoints(message: Uint8Array, topic: string): void {
    const configured = this.#configured;
    if (!configured || this.#last?.values) return;
    const reading = readVector(
      {
        name: 'state',
        topic,
        origin: '',
        type: 'sensor_msgs/msg/JointState',
        joints: configured.manifest.actions.items.map(({ name }) => name),
        field: 'position',
      },
      decodeMessage.vector('sensor_msgs/msg/JointState', message),
    );
    if (reading.kind === 'values' && reading.values.every(Number.isFinite)) {
      configured.executor.setCurrent(reading.values);
    }
  }

  #apply(changes: ParameterValues): void {
    const configured = this.#configured;
    const concerns = ['control.rate', 'blend_steps', 'deadline', 'safety.limits'].some((name) =>
      changes.has(name),
    );
    if (!configured || !concerns) return;
    const executor = this.#makeExecutor(configured.manifest);
    const { values } = this.#last ?? {};
    // The robot goes on from where it is, and into the next chunk.
    if (values && configured.manifest.actions.kind === 'joint_position') executor.setCurrent(values);
    if (configured.executor.paused) executor.pause();
    const taken = this.#taken?.executable;
    if (taken && !executor.paused) executor.accept(taken, this.#seconds());
    configured.executor = executor;
    if (this.#timer && changes.has('control.rate')) this.#startTimer();
  }

  #servePause(pause: boolean, response: RosResponse<SetBoolResponse>): void {
    const executor = this.#configured?.executor;
    let message = 'the node is not active';
    if (executor && this.#timer) {
      if (pause) executor.pause();
      else executor.resume();
      message = pause ? 'paused: the robot is held' : 'the next chunk is followed';
    }
    response.send({ ...response.template, success: Boolean(executor && this.#timer), message });
    this.#publishState();
  }

  // ------------------------------------------------------------------------------------------------------------ reports

  #publishState(): void {
    const executor = this.#configured?.executor;
    const counts = executor?.counts;
    const last = this.#last;
    const mode = executor?.paused
      ? MODE.paused
      : last === undefined || last.reason === 'no_chunk'
        ? MODE.waiting
        : last.state === 'holding'
          ? MODE.holding
          : MODE.executing;
    const reason = last?.reason ? holdText(last.reason) : '';
    const said = `${mode} ${reason} ${this.#taken?.episode} ${this.#taken?.chunk}`;
    const now = performance.now();
    if (said === this.#stateSaid.text && now - this.#stateSaid.at < STATE_PERIOD) return;
    this.#stateSaid = { text: said, at: now };
    const width = this.#configured?.manifest.actions.items.length ?? 1;
    this.#states.publish({
      header: { stamp: timeMessage(this.#now()), frame_id: '' },
      mode,
      reason,
      episode: this.#taken?.episode ?? 0,
      chunk: this.#taken?.chunk ?? 0,
      step: last?.index ?? 0,
      horizon: (this.#taken?.executable.actions.length ?? 0) / width,
      seam_jump: this.#seamJump,
      commands: toWire.int64(counts?.commands ?? 0),
      starved: toWire.int64(counts ? sum(Object.values(counts.heldCommands)) : 0),
      limited: toWire.int64(counts ? sum(counts.limited) : 0),
      refused: toWire.int64(counts ? sum(Object.values(counts.chunksRefused)) : 0),
    });
  }

  #statuses(): Status[] {
    const state = this.#managed.state({ bundle: text(this.#values, 'bundle') });
    const configured = this.#configured;
    if (!configured) return [state];
    const { counts } = configured.executor;
    const { no_chunk: noChunk, paused, ...unwanted } = counts.heldCommands;
    const held = sum(Object.values(unwanted));
    const limited = sum(counts.limited);
    const heldNow = held > this.#reported.held;
    const limitedNow = limited > this.#reported.limited;
    this.#reported.held = held;
    this.#reported.limited = limited;
    const reason = this.#last?.reason;
    const names = configured.manifest.actions.items.map(({ name }) => name);
    return [
      state,
      {
        name: 'Action queue',
        level: heldNow ? LEVEL.error : LEVEL.ok,
        message: reason ? holdText(reason) : this.#last ? 'chunks are being executed' : 'not active',
        values: {
          commands: counts.commands,
          'commands beyond replan_steps': counts.overdueCommands,
          'chunks accepted': counts.chunksAccepted,
          'held before the first chunk': noChunk,
          'held on request': paused,
          ...prefixed('held, ', unwanted),
          ...prefixed('refused, ', counts.chunksRefused),
          'last seam': this.#seamJump.toPrecision(3),
        },
      },
      {
        name: 'Safety',
        level: limitedNow ? LEVEL.warn : LEVEL.ok,
        message: limitedNow ? 'commands were outside the limits' : 'commands are inside the limits',
        values: {
          'safety.limits': text(this.#values, 'safety.limits'),
          ...Object.fromEntries(counts.limited.map((count, i) => [`limited, ${names[i] ?? i}`, count])),
        },
      },
    ];
  }
}

function holdText(reason: NonNullable<Command['reason']>): string {
  switch (reason) {
    case 'no_chunk':
      return 'no chunk has come yet';
    case 'not_yet':
      return 'the chunk lies in the future; do the clocks agree?';
    case 'deadline':
      return 'no chunk has come in time (deadline)';
    case 'horizon':
      return 'the chunk has no action left';
    case 'limits':
      return 'the command lies outside the limits (safety.limits: refuse)';
    case 'paused':
      return 'paused on request';
  }
}

/** The largest difference of the action due at `time` between two chunks; 0 where one has none. */
function seamJump(
  old: ExecutableChunk | undefined,
  next: ExecutableChunk,
  width: number,
  time: number,
): number {
  if (!old) return 0;
  const row = ({ stamp, period, actions }: ExecutableChunk): Float32Array => {
    const k = Math.floor((time - stamp) / period);
    return actions.subarray(Math.max(0, k) * width, (Math.max(0, k) + 1) * width);
  };
  const [a, b] = [row(old), row(next)];
  return a.length === b.length
    ? a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] ?? value))), 0)
    : 0;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function prefixed(prefix: string, counts: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).map(([name, count]) => [prefix + name, count]));
}
