import { messageOf } from '../../errors';
import type { ObservationBuffer } from '../../observation/ObservationBuffer';
import { headerStamp } from '../../observation/stamp';
import { checkFrame, rawFrame } from '../../observation/RawFrame';
import type { RawFrame } from '../../observation/RawFrame';
import type { CameraSource, Transport, VectorSource } from '../../settings/sources';
import { decodeMessage } from '../client/decodeMessage';
import type { RosNode, RosQos, RosSubscription } from '../client/rclnodejs';

const IMAGES: Readonly<Record<Transport, readonly [type: string, decode: (bytes: Uint8Array) => object]>> = {
  raw: ['sensor_msgs/msg/Image', (bytes) => decodeMessage.image(bytes)],
  compressed: ['sensor_msgs/msg/CompressedImage', (bytes) => decodeMessage.compressedImage(bytes)],
};

/** What has come from one source. */
export interface SourceCounts {
  readonly name: string;
  /** as others see it: in its namespace, and remapped */
  readonly topic: string;
  /** messages received */
  received: number;
  /** messages that could not be read */
  malformed: number;
  /** what was wrong with the last of them */
  problem: string;
  /** wall-clock milliseconds of the last message, as performance.now() */
  at: number;
}

export interface SourceSubscriptionsOptions {
  readonly node: RosNode;
  readonly cameras: readonly CameraSource[];
  readonly proprio: readonly VectorSource[];
  readonly buffer: ObservationBuffer<RawFrame>;
  readonly qos: RosQos;
  /** told of a message that could not be read */
  readonly onMalformed: (source: string, message: string) => void;
}

/**
 * The subscriptions that an observation is made of. They take the newest message as bytes and put it into the
 * buffer; a message that cannot be read is counted, and takes the place of none that can.
 */
export class SourceSubscriptions {
  readonly counts: readonly SourceCounts[];
  readonly #node: RosNode;
  readonly #subscriptions: readonly RosSubscription[];

  constructor({ node, cameras, proprio, buffer, qos, onMalformed }: SourceSubscriptionsOptions) {
    this.#node = node;
    const counts: SourceCounts[] = [];
    const subscribe = (
      name: string,
      topic: string,
      type: string,
      take: (message: Uint8Array, received: bigint) => void,
    ): RosSubscription => {
      const full = node.resolveTopicName(topic);
      const count: SourceCounts = {
        name,
        topic: full,
        received: 0,
        malformed: 0,
        problem: '',
        at: -Infinity,
      };
      counts.push(count);
      return node.createSubscription(type, topic, { qos, isRaw: true }, (message) => {
        count.received += 1;
        count.at = performance.now();
        try {
          take(message as Uint8Array, node.getClock().now().nanoseconds);
        } catch (error) {
          count.malformed += 1;
          count.problem = messageOf(error);
          buffer.refuse(name, `a message on ${full} cannot be read: ${count.problem}`);
          onMalformed(name, `${name}: a message on ${full} cannot be read: ${count.problem}`);
        }
      });
    };
    this.#subscriptions = [
      ...cameras.map((camera) => {
        const { name, topic, transport } = camera;
        const [type, decode] = IMAGES[transport];
        return subscribe(name, topic, type, (bytes, received) => {
          const message = decode(bytes);
          const frame = rawFrame(camera, message);
          checkFrame(frame);
          buffer.addFrame(name, headerStamp(message) ?? received, frame, received);
        });
      }),
      ...proprio.map(({ name, topic, type }) =>
        subscribe(name, topic, type, (bytes, received) => {
          const message = decodeMessage.vector(type, bytes);
          buffer.addProprio(name, headerStamp(message) ?? received, message, received);
        }),
      ),
    ];
    this.counts = counts;
  }

  destroy(): void {
    for (const subscription of this.#subscriptions) this.#node.destroySubscription(subscription);
  }
}
