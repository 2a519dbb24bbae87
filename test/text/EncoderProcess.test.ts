import { afterEach, describe, expect, it } from 'vitest';
import { readFloat32 } from '../../src/formats/readTensor';
import { openSafetensors } from '../../src/formats/safetensors';
import { EncoderProcess } from '../../src/text/EncoderProcess';

const ENCODER = 'test/fixtures/umt5_micro';
const request = {
  prompt: 'pick up the red block',
  encoder: ENCODER,
  expected: { bundle: 'my_bundle', textDim: 40 },
  cleaning: 'none',
  contextLength: 24,
  threads: 1,
} as const;
/** Seconds; longer than any test. */
const LONG = () => 3600;

describe('the process that encodes', () => {
  const encoder = new EncoderProcess();
  afterEach(() => encoder.close());

  it(
    'gives the golden context, stays for the next, and is let go after its time',
    { timeout: 60_000 },
    async () => {
      const { rows, tokens, cut } = await encoder.encode(request, LONG);
      const golden = readFloat32(openSafetensors(`${ENCODER}/golden.safetensors`).tensors.get('embed')!);
      expect([tokens, cut]).toEqual([10, 0]);
      expect(rows).toHaveLength(400);
      rows.forEach((x, i) => expect(Math.abs(x - golden[i]!)).toBeLessThan(2e-5));
      expect(encoder.running).toBe(true);
      await encoder.encode({ ...request, prompt: 'open the drawer' }, () => 0);
      await expect.poll(() => encoder.running, { timeout: 60_000 }).toBe(false);
    },
  );

  it('says what is wrong, and goes on', { timeout: 60_000 }, async () => {
    await expect(encoder.encode({ ...request, prompt: 'a </s>' }, LONG)).rejects.toThrow(/mark of its own/);
    await expect(encoder.encode({ ...request, encoder: '/nowhere' }, LONG)).rejects.toThrow(/no such file/);
    const expected = { ...request.expected, textDim: 24 };
    await expect(encoder.encode({ ...request, expected }, LONG)).rejects.toThrow(/another model/);
    expect((await encoder.encode(request, LONG)).tokens).toBe(10);
  });

  it('that is ended from outside is told in a sentence, and started anew', { timeout: 60_000 }, async () => {
    const encoding = encoder.encode(request, LONG);
    process.kill(encoder.pid!, 'SIGKILL');
    await expect(encoding).rejects.toThrow(
      'the process that encodes instructions was ended by SIGKILL (has the machine run out of memory?)',
    );
    expect((await encoder.encode(request, LONG)).tokens).toBe(10);
  });

  it('that is given up rejects what it was asked', { timeout: 60_000 }, async () => {
    const encoding = encoder.encode(request, LONG);
    encoder.close();
    await expect(encoding).rejects.toThrow('the encoding was given up');
    expect(encoder.running).toBe(false);
    expect((await encoder.encode(request, LONG)).tokens).toBe(10);
  });
});
