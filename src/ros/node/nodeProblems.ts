import { CLOCK_PROBLEM } from './ClockWatch';
import type { Problem } from './problemTable';

/** What every node refuses of parameters. */
export const PARAMETER_PROBLEMS: readonly Problem[] = [
  {
    what: 'a parameter that does not exist, does not fit or cannot be set now',
    status: 'State',
    value: 'refused, parameter',
    remedy: 'the answer says what would fit; nothing has changed',
  },
  {
    what: 'a name in a section for all nodes (`/**`) that looks like a parameter misspelt (others are only logged)',
    status: 'State',
    level: 'warn',
    remedy: 'the message says which was meant',
  },
];

/** What every managed node refuses. */
export const NODE_PROBLEMS: readonly Problem[] = [
  {
    what: 'a transition failed, a params file has an error',
    status: 'State',
    level: 'error',
    remedy: 'the message says which parameter; set it and request the transition again',
  },
  {
    what: 'a transition that is not possible in this state, or while another is under way',
    status: 'State',
    value: 'refused, transition',
    level: 'error',
    remedy: 'the message says which are possible',
  },
  ...PARAMETER_PROBLEMS,
  {
    what: 'the lifecycle manager is gone: the bond with it is broken',
    status: 'State',
    level: 'warn',
    remedy: 'start it again; the node goes on as it was',
  },
  CLOCK_PROBLEM,
];
