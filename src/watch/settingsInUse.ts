import type { Bundle } from '../bundle/Bundle';
import { UNCACHED, fit, nameOf, readChoices } from '../cache/choice';
import type { PolicySettings } from '../cache/choice';
import { modelFacts } from '../policy/modelFacts';
import type { WrittenSettings } from './messages';

/** What chunks are computed with from now on; it fits the bundle. */
export interface SettingsInUse {
  /** as they were asked for */
  readonly written: WrittenSettings;
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
export function settingsInUse(bundle: Bundle, written: WrittenSettings, seed: number): SettingsInUse {
  const { policy, values, noise } = written;
  const texts = Object.entries(values).map(([name, value]) => `${name}=${value}`);
  const [choice = UNCACHED] = readChoices({ policies: [policy], texts });
  const facts = modelFacts(bundle);
  const { warning = '' } = fit(choice, facts);
  const other = noise === 'fixed' ? '' : `, ${noise === 'fresh' ? 'fresh noise' : 'noise by the episode'}`;
  return {
    written,
    name: `${nameOf(choice, facts)}${other}`,
    settings: { ...choice, noise, seed },
    warning,
  };
}
