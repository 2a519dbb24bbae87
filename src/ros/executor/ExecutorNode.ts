import { join } from 'node:path';
import { MANIFEST_FILE, readManifest } from '../../bundle/Bundle';
import type { BundleManifest } from '../../bundle/schema';
import { UsageError, messageOf } from '../../errors';
import { ExecutorSession, LIMIT_POLICIES } from '../../executor/ExecutorSession';
import type { SessionSettings } from '../../executor/ExecutorSession';
import type { TimerShift } from '../../executor/StepTimes';
import { headerStamp, nanoseconds, toSeconds } from '../../observation/stamp';
import { modelFacts } from '../../policy/modelFacts';
import { EXECUTOR_PARAMETERS, JOINS } from '../../settings/executorParameters';
import type { CommandInterface } from '../../settings/executorParameters';
import { ParameterSet } from '../../settings/ParameterSet';
import { number, text } from '../../settings/parameterValues';
import type { ParameterValues } from '../../settings/parameterValues';
import { decodeMessage } from '../client/decodeMessage';
import type {
  Rclnodejs,
  RosLifecycleNode,
  RosMessageInfo,
  RosPublisher,
  RosResponse,
  RosSubscription,
  RosTimer,
} from '../client/rclnodejs';
import { ACTION_CHUNK_TYPE } from '../../policy/actionChunkMessage';
import type { ActionChunkMessage } from '../../policy/actionChunkMessage';
import { JumpDetector } from '../client/time';
import type { Status } from '../node/Diagnostics';
import { ManagedNode } from '../node/ManagedNode';
import { commandWriter } from './commandWriters';
import type { CommandWriter } from './commandWriters';
import { executorStatuses } from './executorDiagnostics';
import { publisherId, publisherNames } from './publishers';
import { stateMessage } from './stateMessage';

/** What is there from `configure` to `cleanup`. */
interface Configured {
  readonly manifest: BundleManifest;
  readonly writer: CommandWriter;
  readonly subscriptions: readonly RosSubscription[];
  readonly session: ExecutorSession;
}

interface SetBoolResponse {
  success: boolean;
  message: string;
}

/** Milliseconds after which the state is published again although it has not changed. */
const STATE_PERIOD = 1000;

/**
 * Executes chunks as a managed node. What is decided is decided by the {@link ExecutorSession}; this gives it chunks,
 * joint states and the time, and sends what it says.
 */
export class ExecutorNode {
  readonly #managed: ManagedNode;
  readonly #node: RosLifecycleNode;
  readonly #parameters = new ParameterSet(EXECUTOR_PARAMETERS);
  readonly #states: RosPublisher;
  readonly #clock = new JumpDetector();
  #configured: Configured | undefined;
  #timer: RosTimer | undefined;
  #stateSaid = { text: '', at: 0 };
  /** counts at the last diagnostics */
  #reported = { held: 0, limited: 0 };

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
      refuse: (changes) => this.#configured?.session.problemWith(this.#settings(changes)),
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
    if (this.#configured?.session.active) this.#deactivate();
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
    const chunkTopic = text(this.#values, 'chunk_topic');
    const stateTopic = text(this.#values, 'state_topic');
    const publishers = publisherNames(this.#node, chunkTopic);
    const session = new ExecutorSession({
      actions: manifest.actions,
      settings: this.#settings(),
      stateTopic: this.#node.resolveTopicName(stateTopic),
      alive: (source) => publishers().has(source),
      nameOf: (source) => publishers().get(source) ?? 'a publisher that is gone',
    });
    if (session.needsState && stateTopic === '') {
      throw new UsageError(
        'state_topic is empty: actions that are joint positions are executed only where it is known where the robot is',
      );
    }
    const writer = commandWriter(text(this.#values, 'command.interface') as CommandInterface, {
      node: this.#node,
      actions: manifest.actions,
      qos: this.#managed.qos.command,
    });
    const subscriptions = [
      this.#node.createSubscription(
        ACTION_CHUNK_TYPE,
        chunkTopic,
        { qos: this.#managed.qos.command },
        // two arguments: else the publisher is not told
        (message, info) => this.#onChunk(message as ActionChunkMessage, info),
      ),
    ];
    if (session.needsState) {
      subscriptions.push(
        this.#node.createSubscription(
          'sensor_msgs/msg/JointState',
          stateTopic,
          { qos: this.#managed.qos.shared, isRaw: true },
          (message) => this.#onJoints(message as Uint8Array, stateTopic),
        ),
      );
    }
    this.#configured = { manifest, writer, subscriptions, session };
    this.#reported = { held: 0, limited: 0 };
  }

  #activate(): void {
    const configured = this.#configured;
    if (!configured) throw new UsageError('nothing is configured');
    configured.session.activate();
    this.#startTimer();
  }

  #deactivate(): void {
    this.#stopTimer();
    const { session, writer } = this.#configured ?? {};
    // Positions hold themselves; a velocity goes on until told otherwise.
    const still = session?.deactivate();
    if (still) writer?.write(still, this.#period, this.#now());
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

  #settings(changes: ParameterValues = new Map()): SessionSettings {
    const values = new Map([...this.#values, ...changes]);
    const limits = text(values, 'safety.limits');
    return {
      period: 1 / number(values, 'control.rate'),
      join: JOINS.find((join) => join === text(values, 'join')) ?? 'blend',
      blendSteps: number(values, 'blend_steps'),
      deadline: number(values, 'deadline'),
      limits: LIMIT_POLICIES.find((policy) => policy === limits) ?? 'refuse',
      stateMaxAge: number(values, 'state_max_age'),
    };
  }

  /** @param delay seconds until the first step; from then on one in each period */
  #startTimer(delay = this.#period): void {
    this.#stopTimer();
    const inNanoseconds = (seconds: number): bigint => BigInt(Math.max(1, Math.round(seconds * 1e9)));
    this.#timer = this.#node.createTimer(inNanoseconds(delay), () => this.#step());
    this.#timer.changeTimerPeriod(inNanoseconds(this.#period));
  }

  #stopTimer(): void {
    if (this.#timer) this.#node.destroyTimer(this.#timer);
    this.#timer = undefined;
  }

  #step(): void {
    const configured = this.#configured;
    if (!configured?.session.active) return;
    const { session, writer } = configured;
    const now = this.#now();
    if (this.#clock.jumpedBack(now)) {
      this.#managed.logger.warn('the time has jumped back: all chunks are forgotten');
      session.timeJumped();
    }
    const { values, reason } = session.step(toSeconds(now));
    if (values) writer.write(values, this.#period, now);
    if (reason !== undefined && reason !== 'no_chunk' && reason !== 'paused') {
      const why = session.holdText(reason, toSeconds(now));
      this.#managed.repeated.warn(`hold ${reason}`, `the robot is held: ${why}`);
    }
    this.#publishState();
  }

  #onChunk(message: ActionChunkMessage, info: RosMessageInfo | undefined): void {
    const session = this.#configured?.session;
    if (!session?.active) return;
    const taken = session.take(
      {
        stamp: toSeconds(nanoseconds(message.header.stamp)),
        period: message.period,
        replanSteps: message.replan_steps,
        actions: message.actions,
        episode: message.episode,
        chunk: message.chunk,
        names: message.action_names,
        source: publisherId(info?.publisherGid),
      },
      this.#seconds(),
    );
    if ('refused' in taken) {
      const { reason, sentence } = taken.refused;
      this.#managed.repeated.warn(`refused ${reason}`, sentence);
    } else if (taken.shift) {
      this.#shiftTimer(taken.shift);
    }
  }

  #shiftTimer({ due, delay }: TimerShift): void {
    this.#startTimer(delay);
    if (due) this.#step();
  }

  #onJoints(message: Uint8Array, topic: string): void {
    const session = this.#configured?.session;
    if (!session) return;
    try {
      const decoded = decodeMessage.jointState(message);
      const stamp = headerStamp(decoded);
      session.hearJoints(
        {
          stamp: stamp === undefined ? undefined : toSeconds(stamp),
          names: decoded.name,
          positions: decoded.position,
        },
        this.#seconds(),
      );
    } catch (error) {
      session.hearUnreadable();
      this.#managed.repeated.warn(
        'joints',
        `a message on ${topic} cannot be read as a JointState: ${messageOf(error)}`,
      );
    }
  }

  #apply(changes: ParameterValues): void {
    const session = this.#configured?.session;
    if (!session) return;
    const { limits, period } = session.settings;
    const settings = this.#settings();
    session.apply(settings);
    if (settings.limits !== limits)
      this.#managed.logger.warn(`safety.limits: ${limits} becomes ${settings.limits}`);
    if (session.active && changes.has('control.rate') && settings.period !== period) this.#startTimer();
  }

  #servePause(pause: boolean, response: RosResponse<SetBoolResponse>): void {
    const session = this.#configured?.session;
    let message = 'the node is not active';
    if (session?.active) {
      if (pause) session.pause();
      else session.resume();
      message = pause ? 'paused: the robot is held' : 'the next chunk is followed';
    }
    response.send({ ...response.template, success: session?.active === true, message });
    this.#publishState();
  }

  // ------------------------------------------------------------------------------------------------------------ reports

  #publishState(): void {
    const session = this.#configured?.session;
    if (!session) return;
    const now = this.#now();
    const state = session.stateOf(toSeconds(now));
    const { mode, hold, episode, chunk, source } = state;
    const stateText = `${mode} ${hold} ${episode} ${chunk} ${source}`;
    const at = performance.now();
    if (stateText === this.#stateSaid.text && at - this.#stateSaid.at < STATE_PERIOD) return;
    this.#stateSaid = { text: stateText, at };
    const publishers = publisherNames(this.#node, text(this.#values, 'chunk_topic'));
    this.#states.publish(stateMessage(session, now, (source) => publishers().get(source) ?? ''));
  }

  #statuses(): Status[] {
    const state = this.#managed.state({ bundle: text(this.#values, 'bundle') });
    const session = this.#configured?.session;
    if (!session) return [state];
    const publishers = publisherNames(this.#node, text(this.#values, 'chunk_topic'));
    const { statuses, reported } = executorStatuses(session, {
      now: this.#seconds(),
      names: this.#configured?.manifest.actions.items.map(({ name }) => name) ?? [],
      nameOf: (source) => publishers().get(source) ?? '',
      reported: this.#reported,
    });
    this.#reported = reported;
    return [state, ...statuses];
  }
}
