import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exportBundle } from '../../src/export/exportBundle';
import { rawFrame } from '../../src/observation/RawFrame';
import { PolicyClient } from '../../src/policy/PolicyClient';
import { DEFAULT_SETTINGS, FIXTURES, relativeError, removeFolders, temporaryFolder } from '../helpers';
import { rosLacking } from './Peer';
import { NODE, PolicyRun } from './PolicyRun';
import type { ActionChunk } from './PolicyRun';
import type { Served } from './Remote';

const TASK = 'pick up the red block';
const SIDE = 32;

/** An arm with a pose and two fingers, as in LIBERO: 8 numbers, which here come from three topics. */
const ROBOT = `
name: three topics
control: { rate: 20, replan_steps: 5 }
cameras:
  - { name: front, x: 0, y: 0, width: ${SIDE}, height: ${SIDE} }
  - { name: wrist, x: ${SIDE}, y: 0, width: ${SIDE}, height: ${SIDE} }
proprio: { names: [x, y, z, rx, ry, rz, left_finger, right_finger] }
actions:
  kind: delta_pose
  names: [dx, dy, dz, drx, dry, drz, grip]
  limits: none
`;

const PARAMETERS = `/**:
  ros__parameters:
    cameras.front.topic: front/image_raw/compressed
    cameras.wrist.topic: wrist/picture
    cameras.wrist.transport: compressed
    proprio.sources: [pose, left, right]
    proprio.pose.topic: pose
    proprio.pose.type: PoseStamped
    proprio.left.topic: joint_states
    proprio.left.joints: [left_finger]
    proprio.right.topic: right_finger
    proprio.right.type: Float32MultiArray
    proprio.right.joints: [right_finger]
    cache.policy: none
    control.trigger: request
    autostart: true
    execution.threads: 1
    # what is sent here is sent once
    observation.max_age: 1000.0
    observation.max_skew: 1000.0
    instruction: ${TASK}
`;

const TYPES = {
  'front/image_raw/compressed': 'sensor_msgs/msg/CompressedImage',
  'wrist/picture': 'sensor_msgs/msg/CompressedImage',
  pose: 'geometry_msgs/msg/PoseStamped',
  joint_states: 'sensor_msgs/msg/JointState',
  right_finger: 'std_msgs/msg/Float32MultiArray',
} as const;
type Topic = keyof typeof TYPES;

/** A picture with a gradient, so that every pixel and every colour counts. [SIDE, SIDE, 3] */
const PIXELS = Uint8Array.from({ length: SIDE * SIDE * 3 }, (_, i) => (i * 7 + (i % 3) * 40) % 256);
const picture = (): ReturnType<typeof sharp> =>
  sharp(PIXELS, { raw: { width: SIDE, height: SIDE, channels: 3 } });

describe.skipIf(rosLacking() !== undefined)(
  'an observation of pictures and numbers from many topics',
  { timeout: 240_000 },
  () => {
    let bundle: string;
    let run: PolicyRun;

    beforeEach(async () => {
      const folder = temporaryFolder();
      const source = join(FIXTURES, 'libero_micro');
      const robot = join(folder, 'robot.yaml');
      writeFileSync(robot, ROBOT);
      bundle = join(folder, 'bundle');
      exportBundle({
        checkpoint: join(source, 'fastwam.pt'),
        vae: join(source, 'vae_encoder.pth'),
        textEmbeds: join(source, 'text_embeds'),
        config: join(source, 'config.json'),
        robot,
        out: bundle,
      });
      const params = join(folder, 'params.yaml');
      writeFileSync(params, PARAMETERS);
      run = await PolicyRun.prepare();
      run.start('--params-file', params, '-p', `bundle:=${bundle}`, '-p', 'diagnostic_updater.period:=0.2');
      await run.remote.status('State', (message) => message === 'active');
      for (const [topic, type] of Object.entries(TYPES)) await run.peer.heard(topic, type);
    });
    afterEach((context) => run.end(context));
    afterAll(removeFolders);

    const header = (): object => {
      const now = Date.now();
      return { stamp: { sec: Math.floor(now / 1000), nanosec: (now % 1000) * 1_000_000 } };
    };
    /** Good messages of now: the newest by its stamp counts. */
    const messages = async (): Promise<Record<Topic, object>> => ({
      'front/image_raw/compressed': {
        format: 'png',
        data: [...(await picture().png().toBuffer())],
      },
      'wrist/picture': {
        format: 'jpeg',
        data: [...(await picture().jpeg().toBuffer())],
      },
      pose: {
        pose: {
          position: { x: 0.1, y: -0.2, z: 0.3 },
          // a quarter turn about z
          orientation: { x: 0, y: 0, z: Math.SQRT1_2, w: Math.SQRT1_2 },
        },
      },
      joint_states: { name: ['elbow', 'left_finger'], position: [9, 0.04] },
      right_finger: { data: [-0.04] },
    });
    type Inferred = Served & { readonly chunk: ActionChunk };
    const infer = (): Promise<Inferred> =>
      run.peer.call<Inferred>(`${NODE}/infer`, 'fast_wam_msgs/srv/Infer');
    /**
     * Sends good messages but for `others` (undefined: none on that topic) and asks, until the answer fits: the topics
     * are best effort, and answers do not wait for messages.
     */
    const answer = async (
      fits: (answer: Inferred) => boolean,
      others: Partial<Record<Topic, object | undefined>> = {},
    ): Promise<Inferred> => {
      for (;;) {
        const sent: Partial<Record<Topic, object | undefined>> = { ...(await messages()), ...others };
        for (const [topic, message] of Object.entries(sent)) {
          if (message === undefined) continue;
          await run.peer.publish(
            topic,
            TYPES[topic as Topic],
            topic === 'right_finger' ? message : { header: header(), ...message },
          );
        }
        const answered = await infer();
        if (fits(answered)) return answered;
      }
    };

    it('is that of the same pictures and numbers offline', async () => {
      const { chunk } = await answer(({ success }) => success);
      expect(chunk.sources.map(({ name }) => name)).toEqual(['front', 'wrist', 'pose', 'left', 'right']);

      const offline = await PolicyClient.load(bundle, { execution: { threads: 1 } });
      try {
        const episode = await offline.createEpisode();
        const { actions } = await episode.infer(
          {
            cameras: new Map([
              // a PNG loses nothing
              [
                'front',
                rawFrame(
                  { transport: 'raw' },
                  {
                    width: SIDE,
                    height: SIDE,
                    step: SIDE * 3,
                    encoding: 'rgb8',
                    is_bigendian: 0,
                    data: PIXELS,
                  },
                ),
              ],
              [
                'wrist',
                rawFrame(
                  { transport: 'compressed' },
                  {
                    format: 'jpeg',
                    data: new Uint8Array(await picture().jpeg().toBuffer()),
                  },
                ),
              ],
            ]),
            proprio: [0.1, -0.2, 0.3, 0, 0, Math.PI / 2, 0.04, -0.04],
            stamp: 0,
            instruction: TASK,
          },
          { ...DEFAULT_SETTINGS, policy: 'none' },
        );
        // the same engine; -0.04 came as a float32
        expect(relativeError(chunk.actions, actions)).toBeLessThan(1e-6);
      } finally {
        await offline.close();
      }
    });

    it('is refused by the name of the part that is wrong, and used again once that is right', async () => {
      const missing = await answer(({ message }) => !/front|wrist|left|right/.test(message), {
        pose: undefined,
      });
      expect(missing.message).toMatch(/^pose \(\/pose\) has sent nothing/);
      await answer(({ success }) => success);

      // A picture that cannot be read takes the place of none that can: neither one that was cut off, which shows when it
      // comes, nor one that is damaged inside, which shows when it is decoded.
      const jpeg = await picture().jpeg().toBuffer();
      const damaged = [...jpeg.subarray(0, jpeg.length - 200), 0xff, 0xd9];
      const refused = (kind: string) =>
        run.remote.status('Observation', (_, { values }) =>
          values.some(({ key }) => key === `wrist refused, ${kind}`),
        );
      for (const [kind, data] of [
        ['malformed', [...jpeg.subarray(0, 200)]],
        ['undecodable', damaged],
      ] as const) {
        const told = refused(kind);
        for (let i = 0; i < 8; i++) {
          await run.peer.publish('wrist/picture', TYPES['wrist/picture'], {
            ...{ header: header(), format: 'jpeg', data },
          });
          expect((await infer()).success, kind).toBe(true);
        }
        await told;
      }

      // A message that cannot be used is the reason only when the last good one is too old.
      await run.remote.set({ 'observation.max_age': 0.001 });
      const tooMany = await answer(({ message }) => message.includes('2 numbers'), {
        right_finger: { data: [1, 2] },
      });
      expect(tooMany.message).toMatch(/right: a message on \/right_finger has 2 numbers, expected 1/);
      await run.remote.set({ 'observation.max_age': 1000.5 });
      const { chunk } = await answer(({ success }) => success);
      // nothing that failed has used up a number
      const numbers = run.chunks().map((one) => one.chunk);
      expect(numbers).toEqual(numbers.map((_, i) => i));
      expect(chunk.actions.every(Number.isFinite)).toBe(true);
    });
  },
);
