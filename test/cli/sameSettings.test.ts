import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { configurationOf, fit } from '../../src/cache/choice';
import type { Choice } from '../../src/cache/choice';
import type { FieldValue } from '../../src/cache/fieldValues';
import { parameterName, policyNamed } from '../../src/cache/registry';
import { readPolicyOptions } from '../../src/cli/policyOptions';
import { simulatedConfigurations } from '../../src/cli/simulate';
import { firstSettings } from '../../src/cli/watch';
import { messageOf } from '../../src/errors';
import { replayConfigurations } from '../../src/evaluation/replayRecording';
import { readRunParameters, useModel } from '../../src/evaluation/runParameters';
import { modelFacts } from '../../src/policy/modelFacts';
import { ParameterSet } from '../../src/settings/ParameterSet';
import type { ParameterValue } from '../../src/settings/parameterFile';
import { policySettings, problemWithTogether } from '../../src/settings/parameterValues';
import { POLICY_PARAMETERS } from '../../src/settings/policyParameters';
import { readControlRequest } from '../../src/watch/controlRequest';
import { settingsInUse } from '../../src/watch/settingsInUse';
import { arbitrarySettings, writtenAs } from '../cache/arbitrarySettings';
import { removeFolders, temporaryFolder } from '../helpers';
import { tabletopBundle } from '../watch/tabletopBundle';

const bundle = tabletopBundle('object');
const model = modelFacts(bundle);
const folder = temporaryFolder();

/** What a choice comes to on this model: every setting of the policy, and of those that it hands steps to. */
const meant = (choice: Choice) => {
  const { policy, values, companions } = configurationOf(choice, model);
  return { policy, values, companions };
};

/** Parameters of the node and of its params file by name. */
function parametersOf({ policy, values, companions }: Choice): ReadonlyMap<string, FieldValue> {
  const all = Object.entries({ ...companions, [policy]: values }).flatMap(([name, own]) =>
    Object.entries(own).map(([field, value]) => [parameterName(policyNamed(name), field), value] as const),
  );
  return new Map<string, FieldValue>([['cache.policy', policy], ...all]);
}

/** A value as YAML has it: a double with its point, or ROS takes it for an integer. */
function yaml(name: string, value: FieldValue): string {
  if (POLICY_PARAMETERS.find(name)!.field.type !== 'number') return JSON.stringify(value);
  const text = (value as number).toExponential();
  return text.includes('.') ? text : text.replace('e', '.0e');
}

function paramsFile(choice: Choice): string {
  const path = join(folder, 'params.yaml');
  const lines = [...parametersOf(choice)].map(([name, value]) => `    ${name}: ${yaml(name, value)}\n`);
  writeFileSync(path, `/**:\n  ros__parameters:\n    cameras.front.topic: /front\n${lines.join('')}`);
  return path;
}

const emptyParams = (): string => paramsFile({ policy: 'none', values: {}, companions: {} });

function replayed(path: string, choices: Parameters<typeof replayConfigurations>[0]): Choice {
  const parameters = readRunParameters(path);
  parameters.set.useModel(model);
  return replayConfigurations(choices, parameters).at(-1)!;
}

/** The doors by which a choice comes in: what each makes of the same settings. */
const DOORS: Readonly<Record<string, (choice: Choice, texts: readonly string[]) => Choice>> = {
  infer: ({ policy }, set) => readPolicyOptions({ policy, set }),
  replay: ({ policy }, texts) => replayed(emptyParams(), { policies: [policy], texts, lists: false }),
  sweep: ({ policy }, texts) => replayed(emptyParams(), { policies: [policy], texts, lists: true }),
  simulate: ({ policy }, set) => simulatedConfigurations({ policy: [policy], set }, model).at(-1)!,
  'simulate --grid': ({ policy }, set) =>
    simulatedConfigurations({ policy: [policy], set, grid: true }, model).at(-1)!,
  'params file': (choice) => replayed(paramsFile(choice), { policies: [], texts: [] }),
  node: (choice) => {
    const set = new ParameterSet(POLICY_PARAMETERS, problemWithTogether);
    set.useModel(model);
    set.apply(parametersOf(choice));
    const { policy, values, companions } = policySettings(set.values);
    return { policy, values, companions };
  },
};

describe('the same settings', () => {
  afterAll(removeFolders);

  it.each(Object.keys(DOORS))('mean the same through %s', (door) => {
    fc.assert(
      fc.property(arbitrarySettings(), (choice) => {
        expect(meant(DOORS[door]!(choice, writtenAs(choice)))).toEqual(meant(choice));
      }),
    );
  });

  it('are what watch begins with, and what its page asks for, with those of a tail', () => {
    let withTail = 0;
    fc.assert(
      fc.property(arbitrarySettings(), (choice) => {
        const written = firstSettings({ policy: choice.policy, set: writtenAs(choice) }, 'fixed');
        const asked = readControlRequest(JSON.parse(JSON.stringify({ do: 'settings', ...written })));
        expect(asked).toEqual({ do: 'settings', ...written });
        let inUse;
        try {
          inUse = settingsInUse(bundle, written, 7);
        } catch (error) {
          expect(() => fit(choice, model)).toThrow(messageOf(error));
          return;
        }
        const { noise, seed, ...running } = inUse.settings;
        expect(meant(running)).toEqual(meant(choice));
        expect([noise, seed]).toEqual(['fixed', 7]);
        if (Object.keys(choice.companions).length > 0) withTail += 1;
      }),
      { numRuns: 300 },
    );
    expect(withTail).toBeGreaterThan(0);
  });

  it('are refused by the node and by the params file where the command line refuses them', () => {
    fc.assert(
      fc.property(arbitrarySettings(), (choice) => {
        const set = new ParameterSet(POLICY_PARAMETERS, problemWithTogether);
        set.useModel(model);
        const parameters = parametersOf(choice) as ReadonlyMap<string, ParameterValue>;
        const problem = set.problemWith(parameters, false);
        const ofFile = (): void => useModel(readRunParameters(paramsFile(choice)), model);
        if (problem === undefined) {
          expect(() => fit(choice, model)).not.toThrow();
          expect(ofFile).not.toThrow();
        } else {
          const sentence = problem.replace(/^cache\.policy \w+: /, '');
          expect(() => fit(choice, model)).toThrow(sentence);
          expect(ofFile).toThrow(sentence);
        }
      }),
    );
  });
});
