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

/** As in diagnostic_updater; there it is false unless said otherwise, here the namespace says. */
export const DIAGNOSTICS_FULL_NAME: Parameter = {
  name: 'diagnostic_updater.use_fqn',
  settable: 'live',
  field: {
    type: 'boolean',
    default: false,
    description:
      "whether statuses and hardware on /diagnostics are named with the node's namespace; unless said otherwise, true for a node in a namespace",
    source: 'diagnostic_updater',
  },
};

/** For managed nodes, as nav2's have it. */
export const BOND_PERIOD: Parameter = {
  name: 'bond_heartbeat_period',
  settable: 'unconfigured',
  field: {
    type: 'number',
    default: 0.1,
    min: 0,
    max: 3,
    description:
      "time between signs of life for nav2's lifecycle manager, while the node is active; 0: no bond with it",
    unit: 's',
    source: 'nav2_util',
  },
};
