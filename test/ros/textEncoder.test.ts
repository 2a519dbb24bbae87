import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { UMT5_XXL, synthesiseEncoder } from '../../src/export/synthEncoder';
import { removeFolders, temporaryFolder } from '../helpers';
import { rosLacking } from './Peer';
import { PolicyRun } from './PolicyRun';
import { TASK, exportTabletop, writeParams } from './tabletopBundle';

const NEW = 'make coffee';
const NEWER = 'open the drawer';
const OF_MANY_BYTES = 'Räume die Tasse auf 把杯子 🫖';

/** Sizes with the text width of the table-top model. */
const SIZES = { ...UMT5_XXL, vocabulary: 400, dim: 64, heads: 2, headDim: 16, ffn: 64, layers: 2 };

describe.skipIf(rosLacking() !== undefined)(
  'the policy node with a text encoder, driven by an rclpy process',
  { timeout: 240_000 },
  () => {
    let folder: string;
    let bundle: string;
    let encoder: string;
    let run: PolicyRun;

    beforeAll(() => {
      folder = temporaryFolder();
      bundle = exportTabletop(folder);
      encoder = join(folder, 'encoder');
      synthesiseEncoder(SIZES, encoder, { seed: 1, dtype: 'BF16' });
    });
    afterAll(() => {
      removeFolders();
    });

    beforeEach(async () => {
      run = await PolicyRun.prepare();
    });
    afterEach((context) => run.end(context));

    const parameters = () => ({
      bundle,
      autostart: true,
      'text_encoder.path': encoder,
      'diagnostic_updater.period': 0.1,
    });
    const say = (data: string) =>
      run.peer.publish('/instruction', 'std_msgs/msg/String', { data }, 'latched');

    it('follows an unknown instruction when it is encoded, and the old one until then', async () => {
      await run.serving(writeParams(folder, { ...parameters(), instruction: TASK }));
      const before = run.chunks().length;
      await say(NEW);
      const told = await run.remote.status('State', (m) => m.includes('encoding'));
      expect(told.message).toMatch(/^encoding "make coffee" for \d+ s; "pick up the red block.*" goes on$/);
      const first = await run.chunk(({ instruction }) => instruction !== TASK, before);
      expect([first.instruction, first.episode, first.chunk]).toEqual([NEW, 1, 0]);
      await run.remote.status('State', (m) => m === 'active');
      // It is known now: a way back and forth needs no encoding.
      await run.remote.set({ instruction: TASK });
      await run.chunk(({ instruction, episode }) => instruction === TASK && episode === 2, before);
      await run.remote.set({ 'text_encoder.path': '', instruction: NEW });
      await run.chunk(({ instruction, episode }) => instruction === NEW && episode === 3, before);
    });

    it('says why an instruction cannot be encoded, goes on, and lets the process go', async () => {
      await run.serving(writeParams(folder, { ...parameters(), instruction: TASK, 'text_encoder.keep': 0 }));
      await say('pick </s> up');
      const refused = await run.remote.status('State', (m) => m.includes('could not be encoded'));
      expect(refused.message).toMatch(/"<\/s>", which the tokenizer takes for a mark.* goes on$/);
      expect((await run.chunk()).instruction).toBe(TASK);
      await run.remote.status('State', (_, { values }) =>
        values.some(({ key, value }) => key === 'text encoder' && value === 'not loaded'),
      );
      await run.remote.set({ 'text_encoder.path': '/nowhere' });
      await say(NEWER);
      await run.remote.status('State', (m) => m.includes('/nowhere: no such file or folder'));
      expect((await run.chunk()).instruction).toBe(TASK);
    });

    it('says an instruction in any script as it is: chunk, parameter and sentences', async () => {
      await run.serving(writeParams(folder, { ...parameters(), instruction: TASK }));
      const before = run.chunks().length;
      await say(OF_MANY_BYTES);
      const told = await run.remote.status('State', (m) => m.includes('encoding'));
      expect(told.message).toContain(`encoding ${JSON.stringify(OF_MANY_BYTES)} for`);
      const first = await run.chunk(({ instruction }) => instruction !== TASK, before);
      // What follows the text in the message has moved by as many bytes as it has.
      expect([first.instruction, first.action_names]).toEqual([OF_MANY_BYTES, ['dx', 'dy', 'grip']]);
      expect((await run.remote.get('instruction'))['string_value']).toBe(OF_MANY_BYTES);
      await run.remote.set({ 'text_encoder.path': '' });
      const [refused] = await run.remote.set({ instruction: '把' });
      expect(refused!.reason).toContain('"把"');
    });

    it('makes no chunk while the only instruction it was given is encoded, and says so', async () => {
      const params = writeParams(folder, { ...parameters(), instruction: NEW });
      run.start('--params-file', params);
      await run.robot();
      const first = await run.chunk(undefined, 0);
      expect([first.instruction, first.episode, first.chunk]).toEqual([NEW, 0, 0]);
    });
  },
);
