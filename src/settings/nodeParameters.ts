import type { Parameter } from './Parameter';

/** For managed nodes: come into service without being asked. */
export const AUTOSTART: Parameter = {
  name: 'autostart',
  settable: 'unconfigured',
  field: {
    type: 'boolean',
    default: false,
    description:
      'configure and activate the node when it starts, also when it is started again after a crash',
    source: 'this project',
  },
};

export const DIAGNOSTICS_PERIOD: Parameter = {
  name: 'diagnostic_updater.period',
  settable: 'live',
  field: {
    type: 'number',
    default: 1,
    min: 0.1,
    max: 60,
    description: 'time between messages on /diagnostics',
    unit: 's',
    source: 'diagnostic_updater',
  },
};
