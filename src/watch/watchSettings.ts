import type { Bundle } from '../bundle/Bundle';
import { UsageError } from '../errors';
import { configurationsOf } from '../evaluation/configurations';
import { modelFacts } from '../policy/modelFacts';
import { settingsWarning } from '../policy/settingsWarning';
import type { PolicySettings } from '../policy/types';
import type { SettingsChoice } from './messages';

/** Settings that were found to fit a bundle. */
export interface FittingSettings {
  readonly choice: SettingsChoice;
  /** `c3ache R=4 [0,6]` */
  readonly name: string;
  readonly settings: PolicySettings;
  /** a sentence about settings that are allowed but unwise; empty if there is none */
  readonly warning: string;
}

/**
 * Reads settings as the command line does, with the same sentences for what does not fit.
 * @throws UsageError, InputError
 */
export function fittingSettings(bundle: Bundle, choice: SettingsChoice, noiseSeed: number): FittingSettings {
  const [configuration] = configurationsOf(
    {
      policies: [choice.policy],
      settings: Object.entries(choice.values).map(([name, value]) => [name, [value]]),
      base: () => ({}),
    },
    modelFacts(bundle),
  );
  if (!configuration) throw new UsageError('choose a policy');
  const settings: PolicySettings = {
    policy: configuration.policy,
    values: configuration.settings,
    noise: choice.noise,
    seed: noiseSeed,
  };
  const warning = settingsWarning(bundle, settings) ?? '';
  const fresh = choice.noise === 'fresh' ? ', fresh noise' : '';
  return { choice, name: `${configuration.name}${fresh}`, settings, warning };
}
