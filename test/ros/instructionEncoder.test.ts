import { beforeEach, describe, expect, it } from 'vitest';
import { FastWamError } from '../../src/errors';
import { InstructionEncoder } from '../../src/ros/policy/InstructionEncoder';
import type { PolicyBundle } from '../../src/ros/policy/policyService';
import type { EncodedContext, EncoderRequest } from '../../src/text/encoderMessages';
import { standIn } from '../standIn';

/** A process whose work ends when the test says so. */
class Workshop {
  readonly asked: string[] = [];
  running = false;
  #resolve: (context: EncodedContext) => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;

  encode(request: Omit<EncoderRequest, 'id'>): Promise<EncodedContext> {
    this.asked.push(request.prompt);
    this.running = true;
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  finish(): void {
    this.#resolve({ rows: new Float32Array(4), tokens: 1, cut: 0, seconds: 1, memory: 1e9 });
  }

  fail(): void {
    this.#reject(new FastWamError('no'));
  }

  close(): void {
    this.running = false;
    this.fail();
  }
}

const bundle = standIn<PolicyBundle>({
  folder: 'my_bundle',
  manifest: standIn<PolicyBundle['manifest']>({ text: undefined }),
  dimensions: standIn<PolicyBundle['dimensions']>({ textDim: 4, contextLength: 8 }),
  cleaning: 'upstream',
  prompt: (task: string) => `do: ${task}`,
});

describe('instructions that have to be encoded', () => {
  let workshop: Workshop;
  let encoder: InstructionEncoder;
  let events: string[];
  let path: string;

  beforeEach(() => {
    workshop = new Workshop();
    events = [];
    path = '/encoder';
    encoder = new InstructionEncoder({
      service: {
        bundle,
        learn: (task) => {
          events.push(`learned ${task}`);
          return Promise.resolve();
        },
      },
      settings: () => ({ path, tokenizer: '', keep: 0, threads: 1 }),
      onReady: (task) => events.push(`ready ${task}`),
      onFailure: (task, problem) => events.push(`failed ${task}: ${problem}`),
      process: workshop,
    });
  });

  const told = (count: number) => expect.poll(() => events).toHaveLength(count);

  it('are learned, then followed', async () => {
    encoder.want('a');
    expect(encoder.state).toMatch(/^encoding "a" for \d+ s$/);
    workshop.finish();
    await told(2);
    expect(events).toEqual(['learned a', 'ready a']);
    expect(workshop.asked).toEqual(['do: a']);
    expect(encoder.wanted).toBeUndefined();
    expect(encoder.state).toBe('ready');
  });

  it('of several that come meanwhile the last is followed', async () => {
    encoder.want('a');
    encoder.want('b');
    encoder.want('c');
    workshop.finish();
    await expect.poll(() => workshop.asked).toEqual(['do: a', 'do: c']);
    workshop.finish();
    await told(3);
    expect(events).toEqual(['learned a', 'learned c', 'ready c']);
  });

  it('are learned but not followed where another one has come that was known', async () => {
    encoder.want('a');
    encoder.forget();
    workshop.finish();
    await told(1);
    expect(events).toEqual(['learned a']);
  });

  it('that fail are told once, and the next is tried', async () => {
    encoder.want('a');
    workshop.fail();
    await told(1);
    expect(events).toEqual(['failed a: no']);
    encoder.want('b');
    workshop.finish();
    await told(3);
    expect(events.slice(1)).toEqual(['learned b', 'ready b']);
  });

  it('are given up without a word when the node lets go', async () => {
    encoder.want('a');
    encoder.close();
    await expect.poll(() => encoder.state).toBe('not loaded');
    expect(events).toEqual([]);
  });

  it('need an encoder', () => {
    path = '';
    expect([encoder.available, encoder.state]).toEqual([false, 'none']);
  });
});
