import { randomUUID } from 'node:crypto';
import { CdrReader } from '../client/CdrReader';
import { encoderOf } from '../client/encodePublications';
import type { MessageClass, RosNode, RosPublisher, RosQos } from '../client/rclnodejs';

const TYPE = 'bond/msg/Status';
const TOPIC = 'bond';
/** Milliseconds, as in bondcpp: for the other side to come, between its signs of life, for it to agree to the end. */
const CONNECT = 10_000;
const SILENCE = 4000;
const FAREWELL = 2000;
const FAREWELL_PERIOD = 50;

/** rclnodejs' JavaScript of the type may not have been made; as bytes it can travel without. */
const STATUS: MessageClass = Object.assign(() => undefined, {
  type: () => ({ pkgName: 'bond', subFolder: 'msg', interfaceName: 'Status' }) as const,
});

/** `none`: not asked for, or the package bond is not there. */
export type BondState = 'none' | 'waiting' | 'alive' | 'ending' | 'ended' | 'broken';

export interface ManagerBondOptions {
  readonly node: RosNode;
  readonly qos: RosQos;
  /** told when the bond has formed, and when the manager has let go of it or fallen silent */
  readonly onFormed: () => void;
  readonly onBroken: (how: string) => void;
}

/**
 * This node's end of the bond that nav2's lifecycle manager makes with each of its nodes (its `bond_timeout` above 0):
 * both tell each other on `bond` that they live, from activation to deactivation, and so notice when the other one dies.
 * The protocol is that of bondcpp; the package `bond` with the message has to be installed.
 */
export class ManagerBond {
  readonly #options: ManagerBondOptions;
  #publisher: RosPublisher | undefined;
  #encode: ((message: object) => Buffer) | undefined;
  #state: BondState = 'none';
  #instance = '';
  #period = 0;
  #beat: NodeJS.Timeout | undefined;
  #limit: NodeJS.Timeout | undefined;

  constructor(options: ManagerBondOptions) {
    this.#options = options;
  }

  get state(): BondState {
    return this.#state;
  }

  /**
   * Waits for the manager, with signs of life every so many seconds.
   * @returns whether that can be done: the package of the message may be missing
   */
  form(period: number): boolean {
    this.#rest();
    if (!this.#connect()) return false;
    this.#instance = randomUUID();
    this.#period = period;
    this.#state = 'waiting';
    this.#publish(true);
    this.#beat = setInterval(() => this.#publish(true), period * 1000);
    this.#limit = setTimeout(() => this.#end('ended'), CONNECT);
    return true;
  }

  /** Tells the manager that this end of the bond is let go, until it has answered. */
  break(): void {
    const wasAlive = this.#state === 'alive';
    if (!wasAlive && this.#state !== 'waiting') return;
    this.#end('ended');
    this.#publish(false);
    if (!wasAlive) return;
    this.#state = 'ending';
    this.#beat = setInterval(() => this.#publish(false), FAREWELL_PERIOD);
    this.#limit = setTimeout(() => this.#end('ended'), FAREWELL);
  }

  /** Says nothing more. */
  stop(): void {
    this.break();
    this.#rest();
  }

  #connect(): boolean {
    if (this.#publisher) return true;
    this.#encode = encoderOf(TYPE);
    if (!this.#encode) return false;
    const { node, qos } = this.#options;
    try {
      this.#publisher = node.createPublisher(STATUS, TOPIC, { qos });
      node.createSubscription(STATUS, TOPIC, { qos, isRaw: true }, (message) =>
        this.#take(message as Uint8Array),
      );
    } catch {
      return false; // the definition is there, and what the middleware needs is not
    }
    return true;
  }

  #take(message: Uint8Array): void {
    const cdr = new CdrReader(message);
    cdr.int32();
    cdr.uint32();
    cdr.string();
    const [id, instance] = [cdr.string(), cdr.string()];
    if (id !== this.#options.node.name() || instance === this.#instance) return;
    if (cdr.uint8() !== 0) this.#onAlive();
    else this.#onDead();
  }

  #onAlive(): void {
    if (this.#state !== 'waiting' && this.#state !== 'alive') return;
    clearTimeout(this.#limit);
    this.#limit = setTimeout(() => this.#broken('has sent no sign of life'), SILENCE);
    if (this.#state === 'alive') return;
    this.#state = 'alive';
    this.#options.onFormed();
  }

  #onDead(): void {
    if (this.#state === 'alive') {
      this.#publish(false);
      this.#broken('has let go');
    } else if (this.#state === 'ending') {
      this.#end('ended');
    }
  }

  #broken(how: string): void {
    this.#end('broken');
    this.#options.onBroken(how);
  }

  #end(state: BondState): void {
    this.#rest();
    this.#state = state;
  }

  #rest(): void {
    clearInterval(this.#beat);
    clearTimeout(this.#limit);
  }

  #publish(active: boolean): void {
    const now = process.hrtime.bigint();
    const message = {
      header: {
        stamp: { sec: Number(now / 1_000_000_000n), nanosec: Number(now % 1_000_000_000n) },
        frame_id: '',
      },
      id: this.#options.node.name(),
      instance_id: this.#instance,
      active,
      heartbeat_timeout: SILENCE / 1000,
      heartbeat_period: this.#period,
    };
    if (this.#encode) this.#publisher?.publish(this.#encode(message));
  }
}
