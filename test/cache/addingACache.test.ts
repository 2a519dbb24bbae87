import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { fit, nameOf, readChoices, someSettings } from '../../src/cache/choice';
import { wordsOf } from '../../src/cache/fieldValues';
import { none } from '../../src/cache/none';
import { POLICIES, parameterName } from '../../src/cache/registry';
import type { CachePolicy, Calibration } from '../../src/cache/types';
import { InputError } from '../../src/errors';
import { POLICY_PARAMETERS } from '../../src/settings/policyParameters';
import { ToyExpert } from './ToyExpert';
import { holdVelocity } from './holdVelocity';
import { ToyEpisode, companion, contextOf, relativeError } from './runEpisode';

/** The one line: everything below finds the example in the registry, before anything is derived from it. */
vi.mock('../../src/cache/registry', async (original) => {
  const registry = await original<{ readonly POLICIES: CachePolicy[] }>();
  const example = await import('./holdVelocity');
  registry.POLICIES.push(example.holdVelocity);
  return registry;
});

const guide = readFileSync(join(__dirname, '../../docs/adding-a-cache.md'), 'utf8');

describe('the guide to adding a cache', () => {
  it('shows the example as it is tested here', () => {
    const tested = readFileSync(join(__dirname, 'holdVelocity.ts'), 'utf8')
      .replaceAll('../../src/cache/', './')
      .replaceAll('../../src/', '../');
    expect(guide).toContain(tested);
  });

  it('names every policy there is, and only files that exist', () => {
    for (const { name } of POLICIES) expect(guide).toContain(`\`${name}\``);
    const files = [...guide.matchAll(/`((?:src|test|docs)\/[\w/.-]+\.\w+)`/g)].map((match) => match[1]!);
    expect(files.length).toBeGreaterThan(8);
    const mentioned = files.filter((file) => file !== 'src/cache/holdVelocity.ts');
    for (const file of mentioned) expect(() => readFileSync(join(__dirname, '../..', file))).not.toThrow();
  });

  it('shows a policy that keeps the rules of the house', async () => {
    const expert = new ToyExpert();
    const plain = await new ToyEpisode(expert, 'none').chunk({ chunk: 0 });
    const never = await new ToyEpisode(expert, holdVelocity, { held_steps: 0 }).chunk({ chunk: 0 });
    expect([...never.x]).toEqual([...plain.x]);
    const held = await new ToyEpisode(expert, holdVelocity, { held_steps: 2 }).chunk({ chunk: 0 });
    expect([...held.computed]).toEqual([1, 0, 0, 1, 0, 0, 1, 0, 0, 1]);
    expect(relativeError(held.x, plain.x)).toBeLessThan(0.5);
  });
});

describe('a new cache, in one file and one line', () => {
  const model = new ToyExpert();
  const choose = (policy: string, ...texts: string[]) => readChoices({ policies: [policy], texts })[0]!;

  it('is chosen by its name, with its settings', () => {
    const choice = choose('hold_velocity', 'held_steps=3');
    expect(nameOf(choice, model)).toBe('hold_velocity held_steps=3');
    expect(fit(choice, model).policy).toBe(holdVelocity);
    expect(() => fit(choose('hold_velocity', 'held_steps=10'), model)).toThrow(
      'held_steps 10: must be at most 9, the sampler takes 10 steps',
    );
  });

  it('is a parameter of the node', () => {
    const chosen = POLICY_PARAMETERS.find('cache.policy')!.field;
    expect(chosen.type === 'enum' && chosen.values).toContain('hold_velocity');
    const name = parameterName(holdVelocity, 'held_steps');
    expect(name).toBe('cache.hold_velocity.held_steps');
    expect(POLICY_PARAMETERS.find(name)!.field).toBe(holdVelocity.fields['held_steps']);
  });

  it('follows the range of c3ache, because it offers a tail', async () => {
    const choice = choose('c3ache', 'range=0:4', 'tail=hold_velocity', 'hold_velocity.held_steps=2');
    const { companions, grain } = fit(choice, model);
    expect(companions['hold_velocity']!.values).toEqual({ held_steps: 2 });
    expect(grain).toBe('stack');
    const episode = new ToyEpisode(model, 'c3ache', choice.values);
    const [, reuse] = await episode.chunks(2, () => ({ companions }));
    expect([...reuse!.computed]).toEqual([0, 0, 0, 0, 0, 1, 0, 0, 1, 0]);
    const late = choose('c3ache', 'range=0:8', 'tail=hold_velocity');
    expect(() => fit(late, model)).toThrow(
      'tail hold_velocity needs at least 2 steps after the range to skip one, range [0, 8] leaves 1: end the range at step 7 or before',
    );
  });
});

describe('what every policy in the registry offers', () => {
  const model = new ToyExpert();

  it.each(POLICIES.filter(({ tail }) => tail).map((policy) => [policy.name, policy] as const))(
    '%s: a tail that starts at any step, and from the first one is the policy itself',
    async (name, { tail, fields }) => {
      const settings = companion(name, name === 'bac' ? { updates: model.shape.steps } : {}, model)[name]!
        .values;
      expect(Object.keys(settings)).toEqual(Object.keys(fields));
      expect(tail!.fewestSteps(settings)).toBeGreaterThanOrEqual(2);
      const whole = await new ToyEpisode(model, name, settings).chunk({ chunk: 0 });
      const { noise } = contextOf(model, { chunk: 0 });
      const run = await tail!.run(model, noise, 0, settings, false);
      expect([...run.x]).toEqual([...whole.x]);
      const late = await tail!.run(model, noise, 7, settings, false);
      expect(late.computed).toHaveLength(model.shape.steps - 7);
    },
  );

  it.each(POLICIES.filter(({ threshold }) => threshold).map((policy) => [policy.name, policy] as const))(
    '%s: a threshold in settings that fit, however loose',
    (name, { threshold }) => {
      for (const looseness of [1e-6, threshold!.start, 1e3]) {
        const values = someSettings(threshold!.settings(looseness, model.schedule));
        const all = companion(name, values, model)[name]!.values;
        expect(all).toMatchObject(values);
      }
    },
  );

  it.each(POLICIES.filter(({ calibration }) => calibration).map((policy) => [policy.name, policy] as const))(
    '%s: a calibration whose records are plain JSON that the policy then runs by',
    async (name, policy) => {
      const calibration = policy.calibration!;
      const learner = calibration.begin(model.shape);
      const steps = Array.from({ length: model.shape.steps }, (_, index) => ({ index }));
      const record = { [calibration.looksAt]: true };
      const settings = companion(name, {}, model)[name]!.values;
      expect(() => learner.solve(settings)).toThrow(InputError);
      learner.add(await model.fullSteps(contextOf(model, { chunk: 0 }).noise, steps, record));
      const learnt = calibration.parse(JSON.parse(JSON.stringify(learner.solve(settings))), 'a test');
      expect(settings).toMatchObject(someSettings(calibration.settingsOf(learnt)));
      expect(calibration.describe(learnt).text).not.toBe('');

      const choice = { policy: name, values: {}, companions: {} };
      const resources = { learnt: <L>(asked: Calibration<never, L>) => [asked.parse(learnt, 'a test')] };
      expect(() => fit(choice, model)).toThrow(InputError);
      expect(() => fit(choice, { ...modelOf(model), resources })).not.toThrow();
      const everything = someSettings(calibration.withoutRecord(model.shape));
      expect(() => fit({ ...choice, values: everything }, model)).not.toThrow();
    },
  );

  it('names each other only by what they offer', () => {
    for (const { fields } of POLICIES) {
      for (const field of Object.values(fields)) {
        if (field.type !== 'policy') continue;
        expect(wordsOf(field)[0]).toBe(none.name);
        expect(wordsOf(field)).toContain(field.default);
      }
    }
  });
});

const modelOf = ({ shape, schedule }: ToyExpert) => ({ shape, schedule });
