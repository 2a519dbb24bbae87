import { LEVEL } from './Diagnostics';
import type { Status } from './Diagnostics';

/** What the node is doing, and why it cannot do what was asked. */
export function stateStatus(
  state: string,
  problems: readonly string[],
  values: Status['values'],
  notices: readonly string[],
): Status {
  const [problem] = problems;
  const [notice] = notices;
  return {
    name: 'State',
    level: problem !== undefined ? LEVEL.error : notice !== undefined ? LEVEL.warn : LEVEL.ok,
    message: problem ?? notice ?? state,
    values: { state, ...values },
  };
}
