import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSchedule } from '../../src/sampler/schedule';
import { NOMINAL_MODEL } from '../../src/settings/Parameter';
import type { ModelFacts } from '../../src/settings/Parameter';
import { ParameterSet } from '../../src/settings/ParameterSet';
import type { ParameterValue } from '../../src/settings/parameterFile';
import { policySettings, executionOptions, problemWithTogether } from '../../src/settings/parameterValues';
import { POLICY_PARAMETERS } from '../../src/settings/policyParameters';

const changes = (values: Record<string, ParameterValue>): Map<string, ParameterValue> =>
  new Map(Object.entries(values));

function policySet(model?: ModelFacts): ParameterSet {
  const set = new ParameterSet(POLICY_PARAMETERS, problemWithTogether);
  if (model) set.useModel(model);
  return set;
}

/** A model of 4 steps at shift 1: the safe share of the path, 31.8 %, is its first step only. */
const SMALL: ModelFacts = {
  shape: { steps: 4, horizon: 8, actionDim: 3, hidden: 16, layers: 2 },
  schedule: createSchedule(4, 1),
  control: { rate: 25, replanSteps: 5 },
  seed: 42,
};

describe('the parameters of the policy node', () => {
  it('refuses a range beyond the steps of the loaded model, in plain words', () => {
    const set = policySet(NOMINAL_MODEL);
    expect(set.problemWith(changes({ 'cache.range': [3, 12] }), true)).toBe(
      'cache.range [3, 12]: end must be at most 9, the sampler takes 10 steps',
    );
    expect(set.problemWith(changes({ 'cache.range': [3, 9] }), true)).toBeUndefined();
  });

  it('takes any range before a model is known, and holds it against the model that is loaded', () => {
    const set = policySet();
    const wide = changes({ 'cache.range': [3, 12] });
    expect(set.problemWith(wide, false)).toBeUndefined();
    expect(set.problemWith(changes({ 'cache.range': [5, 2] }), false)).toMatch(/start must be at most end/);
    set.apply(wide);
    expect(set.problemWithModel(NOMINAL_MODEL)).toMatch(/end must be at most 9/);
    expect(set.problemWithModel({ ...NOMINAL_MODEL, schedule: createSchedule(20, 5) })).toBeUndefined();
  });

  it('follows the model with defaults, and leaves alone what a user has said', () => {
    const set = policySet();
    expect(set.values.get('cache.range')).toEqual([0, 6]);
    set.apply(changes({ 'control.rate': 30 }));
    expect(set.useModel(SMALL)).toEqual(
      changes({
        // half of the path is left at step 2 of 4 at shift 1
        'cache.few_steps.steps': [0, 2],
        'cache.range': [0, 0],
        'control.replan_steps': 5,
        'cache.worldcache_ca.probe_depth': 1,
      }),
    );
    expect(set.values.get('control.rate')).toBe(30);
    expect(set.useModel(undefined).get('cache.range')).toEqual([0, 6]);
  });

  it('keeps structural parameters as they are once configured, and says how to change them', () => {
    const set = policySet(NOMINAL_MODEL);
    set.apply(changes({ bundle: '/a' }));
    expect(set.problemWith(changes({ bundle: '/b' }), true)).toBe(
      'bundle can only be set while the node is unconfigured; deactivate it and clean it up first',
    );
    expect(set.problemWith(changes({ bundle: '/a' }), true)).toBeUndefined();
    expect(set.problemWith(changes({ bundle: '/b' }), false)).toBeUndefined();
  });

  it('refuses values that do not fit together', () => {
    const set = policySet(NOMINAL_MODEL);
    expect(set.problemWith(changes({ 'execution.precision': 'bf16' }), false)).toMatch(
      /needs execution.provider cuda/,
    );
    expect(
      set.problemWith(changes({ 'execution.precision': 'bf16', 'execution.provider': 'cuda' }), false),
    ).toBeUndefined();
    expect(
      set.problemWith(
        changes({ 'execution.provider': 'cuda', 'execution.prefill_precision': 'int8' }),
        false,
      ),
    ).toBe(
      'execution.prefill_precision int8 needs execution.provider cpu; with cuda the prefill and the expert are one graph',
    );
    expect(set.problemWith(changes({ 'execution.prefill_precision': 'int8' }), false)).toBeUndefined();
    expect(set.problemWith(changes({ 'execution.prefill_precision': 'bf16' }), false)).toMatch(
      /same, fp32, int8/,
    );
    expect(set.problemWith(changes({ 'control.replan_steps': 33 }), true)).toMatch(/must be at most 32/);
  });

  it('names the nearest parameter for a name it does not have', () => {
    const set = policySet();
    expect(set.problemWith(changes({ 'cache.refesh_interval': 3 }), false)).toMatch(
      /did you mean cache.refresh_interval\?/,
    );
    expect(set.problemWith(changes({ 'cameras.front.topc': 'a' }), false)).toMatch(
      /did you mean cameras\.front\.topic\?/,
    );
    expect(set.problemWith(changes({ 'camera.front.topic': 'a' }), false)).toMatch(
      /did you mean cameras\.front\.topic\?/,
    );
    expect(set.problemWith(changes({ 'cameras.front.zoom.factor': 2 }), false)).toMatch(
      /cameras.<camera>.topic/,
    );
    expect(set.problemWith(changes({ 'cameras.front.topic': 'a' }), false)).toBeUndefined();
    expect(set.problemWith(changes({ 'cameras.front.transport': 'jpeg' }), false)).toMatch(/raw, compressed/);
  });

  it('gives the chunk the settings of the selected policy only', () => {
    const set = policySet(NOMINAL_MODEL);
    set.apply(
      changes({
        'cache.policy': 'x_cache',
        'cache.x_cache.refresh_interval': 2,
        'cache.refresh_interval': 9,
      }),
    );
    const settings = policySettings(set.values);
    expect(settings.policy).toBe('x_cache');
    expect(settings.values['refresh_interval']).toBe(2);
    expect(settings.values).not.toHaveProperty('range');
    set.apply(changes({ 'cache.policy': 'c3ache' }));
    expect(policySettings(set.values).values).toMatchObject({
      refresh_interval: 9,
      range: [0, 6],
      max_age: 0,
    });
    expect(executionOptions(set.values)).toEqual({
      provider: 'cpu',
      device: 0,
      precision: 'fp32',
      threads: 0,
    });
  });

  it('asks for what lies beside the model only for a policy that needs it, and hands it the settings of its tail', () => {
    let asked = 0;
    const set = policySet({
      ...NOMINAL_MODEL,
      resources: {
        learnt: () => {
          asked += 1;
          return [];
        },
      },
    });
    expect(set.problemWith(changes({ 'cache.range': [0, 5] }), true)).toBeUndefined();
    expect(asked).toBe(0);
    expect(set.problemWith(changes({ 'cache.policy': 'bac' }), true)).toMatch(
      /^cache.policy bac: no bac schedule for updates=5 .*make it with fastwam calibrate/,
    );
    // with as many updates as steps there is nothing to schedule
    set.apply(changes({ 'cache.c3ache.tail': 'bac', 'cache.bac.updates': 10 }));
    expect(set.problemWith(new Map(), true)).toBeUndefined();
    expect(set.problemWith(changes({ 'cache.bac.updates': 4 }), true)).toMatch(
      /no bac schedule for updates=4/,
    );
    expect(policySettings(set.values).companions['bac']).toEqual({
      updates: 10,
      union_blocks: 5,
      similarity: 'cosine',
      gate_mode: 'gated',
    });
    expect(policySettings(set.values).companions).not.toHaveProperty('c3ache');
  });

  it('never throws, and never changes when it refuses, whatever it is given', () => {
    const values = fc.oneof(
      fc.string(),
      fc.double(),
      fc.boolean(),
      fc.array(fc.oneof(fc.integer(), fc.string(), fc.constant(Number.NaN)), { maxLength: 4 }),
    );
    const names = fc.oneof(
      fc.constantFrom(...POLICY_PARAMETERS.parameters.map(({ name }) => name)),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(names, values), { maxLength: 4 }), fc.boolean(), (pairs, configured) => {
        const set = policySet(NOMINAL_MODEL);
        const before = JSON.stringify([...set.values]);
        const problem = set.problemWith(new Map(pairs as [string, ParameterValue][]), configured);
        expect(problem === undefined || problem.length > 0).toBe(true);
        expect(JSON.stringify([...set.values])).toBe(before);
      }),
    );
  });
});
