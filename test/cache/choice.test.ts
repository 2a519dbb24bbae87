import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UNCACHED, configurationOf, fit, nameOf, readChoices, settingTexts } from '../../src/cache/choice';
import type { ChoiceRequest } from '../../src/cache/choice';
import { policyNamed } from '../../src/cache/registry';
import { InputError, UsageError } from '../../src/errors';
import { NOMINAL_MODEL } from '../../src/settings/Parameter';
import { listed } from '../../src/words/listed';
import { arbitrarySettings, writtenAs } from './arbitrarySettings';

const read = (options: Partial<ChoiceRequest>) =>
  readChoices({ policies: ['c3ache'], texts: [], ...options });
const names = (options: Partial<ChoiceRequest>) => read(options).map((one) => nameOf(one, NOMINAL_MODEL));
const one = (...texts: string[]) => read({ texts })[0]!;

describe('settings as they are written', () => {
  it.each([
    ['refresh_interval=8', { refresh_interval: 8 }],
    ['range=0:6', { range: [0, 6] }],
    ['range=[1, 5]', { range: [1, 5] }],
    ['range = 1,5', { range: [1, 5] }],
    ['mode=residual', { mode: 'residual' }],
    ['max_age=1.5e1', { max_age: 15 }],
    ['c3ache.mode=residual', { mode: 'residual' }],
  ])('%s is read', (text, values) => {
    expect(one(text)).toEqual({ policy: 'c3ache', values, companions: {} });
  });

  it.each([
    ['range=0-6', 'range "0-6": expected start:end in whole numbers, both inclusive, for instance 0:6'],
    ['refresh_interval=', 'refresh_interval "": expected a whole number'],
    ['refresh_interval=four', 'refresh_interval "four": expected a whole number'],
    ['refresh_interval', 'setting "refresh_interval": expected name=value, for instance refresh_interval=4'],
    ['=4', 'setting "=4": expected name=value, for instance refresh_interval=4'],
    ['c4ache.mode=affine', /^unknown cache policy "c4ache"; did you mean "c3ache"/],
    ['c3ache.modes=affine', /^c3ache has no setting "modes"; did you mean "mode"/],
  ])('%s is refused', (text, message) => {
    expect(() => one(text)).toThrow(message);
    expect(() => one(text)).toThrow(UsageError);
  });

  it('count the last time they are given, and go before what holds otherwise', () => {
    expect(one('max_age=1', 'max_age=2').values).toEqual({ max_age: 2 });
    const base = () => ({ max_age: 3, mode: 'residual' });
    expect(read({ texts: ['max_age=2'], base })[0]!.values).toEqual({ max_age: 2, mode: 'residual' });
  });

  it('are written as they are read', () => {
    fc.assert(
      fc.property(arbitrarySettings(), ({ policy, values, companions }) => {
        const texts = Object.entries(settingTexts({ values, companions })).map(
          ([name, value]) => `${name}=${value}`,
        );
        expect(texts).toEqual(writtenAs({ policy, values, companions }));
        expect(readChoices({ policies: [policy], texts })).toEqual([{ policy, values, companions }]);
      }),
    );
  });
});

describe('lists of values', () => {
  it('are split at commas, but not inside brackets', () => {
    expect(listed('0,2, 4')).toEqual(['0', '2', '4']);
    expect(listed('[0,6],0:7')).toEqual(['[0,6]', '0:7']);
  });

  it('give every combination, and are longer where a name is given again', () => {
    expect(names({ lists: true, texts: ['refresh_interval=0,4', 'range=0:6', 'range=0:7'] })).toEqual([
      'c3ache R=0 [0,6]',
      'c3ache R=0 [0,7]',
      'c3ache R=4 [0,6]',
      'c3ache R=4 [0,7]',
    ]);
  });

  it('without a value are refused like a value that is missing', () => {
    expect(() => read({ lists: true, texts: ['refresh_interval='] })).toThrow(
      'refresh_interval "": expected a whole number',
    );
  });
});

describe('the choices of a request', () => {
  it('start from what holds otherwise, and become configurations with all settings', () => {
    const [choice] = read({ base: () => ({ refresh_interval: 8 }) });
    const configuration = configurationOf(choice!, NOMINAL_MODEL);
    expect(configuration.name).toBe('c3ache R=8 [0,6]');
    expect(Object.keys(configuration.values)).toEqual(Object.keys(policyNamed('c3ache').fields));
    // A configuration is a choice too, of which nothing is left open.
    expect(configurationOf(configuration, NOMINAL_MODEL).values).toEqual(configuration.values);
  });

  it('give a setting to every policy that has it, and to no other', () => {
    expect(names({ policies: ['none', 'c3ache'], texts: ['c3ache.refresh_interval=2'] })).toEqual([
      'none',
      'c3ache R=2 [0,6]',
    ]);
  });

  it('have names that show what was set', () => {
    expect(nameOf(UNCACHED, NOMINAL_MODEL)).toBe('none');
    expect(names({ texts: ['refresh_interval=4', 'range=0:6'] })).toEqual(['c3ache R=4 [0,6]']);
    expect(names({ policies: ['x_cache'], texts: ['tau_floor=0.98', 'protect_first_step=true'] })).toEqual([
      'x_cache R=4 tau_floor=0.98 protect_first_step=true',
    ]);
  });

  it('are refused for what no policy has, and what does not fit the model', () => {
    expect(() => names({ texts: ['refresh_intervall=2'] })).toThrow(/refresh_interval/);
    expect(() => names({ policies: ['none', 'c3ache'], texts: ['nothing=2'] })).toThrow(
      'none of none, c3ache has it',
    );
    expect(() => names({ policies: ['c4ache'] })).toThrow(/did you mean "c3ache"/);
    expect(() => names({ texts: ['range=0:10'] })).toThrow(/end must be at most 9/);
  });
});

describe('a policy that hands steps to another one', () => {
  it('takes the settings of that one too, and all combinations of both', () => {
    expect(names({ lists: true, texts: ['range=0:5,0:6', 'tail=bac', 'bac.updates=3,4'] })).toEqual([
      'c3ache R=4 [0,5] tail=bac bac.updates=3',
      'c3ache R=4 [0,5] tail=bac bac.updates=4',
      'c3ache R=4 [0,6] tail=bac bac.updates=3',
      'c3ache R=4 [0,6] tail=bac bac.updates=4',
    ]);
  });

  it('carries all settings of that one, from what holds otherwise or its defaults', () => {
    const base: ChoiceRequest['base'] = ({ name }) =>
      name === 'bac' ? { union_blocks: 2 } : { tail: 'bac' };
    const [choice, ...others] = read({ base });
    expect(others).toEqual([]);
    const { companions } = configurationOf(choice!, NOMINAL_MODEL);
    expect(Object.keys(companions)).toEqual(['bac']);
    expect(companions['bac']).toMatchObject({ union_blocks: 2, updates: 5 });
    expect(Object.keys(companions['bac']!)).toEqual(Object.keys(policyNamed('bac').fields));
  });

  it('varies them only where that one takes the steps', () => {
    const texts = ['tail=none,worldcache_ht,bac', 'bac.updates=3,4'];
    expect(names({ lists: true, policies: ['c3ache', 'bac'], texts })).toEqual([
      'c3ache R=4 [0,6] tail=none',
      'c3ache R=4 [0,6] tail=worldcache_ht',
      'c3ache R=4 [0,6] tail=bac bac.updates=3',
      'c3ache R=4 [0,6] tail=bac bac.updates=4',
      'bac updates=3',
      'bac updates=4',
    ]);
  });

  it('is refused its settings where nothing hands it steps, and those that it has not', () => {
    expect(() => one('bac.updates=3')).toThrow(
      'setting "bac.updates": nothing here hands steps to bac; name it as a policy, or as the tail of one (--set tail=bac)',
    );
    expect(() => one('tail=bac', 'bac.update=3')).toThrow(/did you mean "updates"/);
    expect(() => one('tail=bac', 'bac.updates=none')).toThrow(UsageError);
    const idle = { ...one('mode=affine'), companions: { bac: {} } };
    expect(() => fit(idle, NOMINAL_MODEL)).toThrow('settings of bac: c3ache hands no steps to it');
  });

  it('names only those that can take them', () => {
    expect(() => fit(one('tail=x_cache'), NOMINAL_MODEL)).toThrow(
      'tail "x_cache": expected one of none, few_steps, worldcache_ca, worldcache_ht, bac',
    );
  });
});

describe('a choice that fits a model', () => {
  it('has all settings, those of its companions, and what it needs of the expert', () => {
    const { policy, values, companions, grain, warning } = fit(
      one('tail=worldcache_ca', 'worldcache_ca.threshold=0.1'),
      NOMINAL_MODEL,
    );
    expect(policy.name).toBe('c3ache');
    expect(values).toMatchObject({ refresh_interval: 4, range: [0, 6] });
    expect(companions['worldcache_ca']!.values).toMatchObject({ threshold: 0.1, saliency_weight: 0.12 });
    expect(grain).toBe('block');
    expect(warning).toBeUndefined();
    expect(fit(one(), NOMINAL_MODEL).grain).toBe('stack');
  });

  it('says what is unwise, and refuses what cannot be', () => {
    expect(fit(one('range=0:9'), NOMINAL_MODEL).warning).toMatch(/range \[0, 9\]/);
    expect(() => fit(one('tail=bac'), NOMINAL_MODEL)).toThrow(InputError);
    expect(() => fit({ ...UNCACHED, policy: 'nothing' }, NOMINAL_MODEL)).toThrow(UsageError);
  });
});
