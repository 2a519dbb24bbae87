import type { SettingValue } from './types';

/**
 * A short name that tells configurations of one evaluation apart: the policy, R and the range where it has them,
 * then every other setting that was given. `c3ache R=4 [0,6]`, `x_cache tau=0.98`.
 */
export function configurationName(policy: string, settings: Readonly<Record<string, SettingValue>>): string {
  const parts = Object.entries(settings).map(([name, value]) => {
    if (name === 'refresh_interval') return `R=${String(value)}`;
    if (name === 'range' && Array.isArray(value)) return `[${value.join(',')}]`;
    return `${name}=${Array.isArray(value) ? `[${value.join(',')}]` : String(value)}`;
  });
  return [policy, ...parts].join(' ');
}
