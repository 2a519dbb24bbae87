import { fieldNamed, parseValue, resolveSettings } from '../cache/fieldValues';
import type { FieldTable, FieldValues } from '../cache/fields';
import { UsageError } from '../errors';
import { PREFIX_SCHEDULES } from '../sampler/guidance';
import { NOMINAL_MODEL } from './Parameter';

const PAPER = 'arXiv 2506.07339';
const LEROBOT = `${PAPER}; default of LeRobot's policies/rtc`;

/** `inference_delay` that asks for the measured one. */
export const MEASURED_DELAY = -1;

/** The settings of real-time chunking, field by field: parameters `rtc.<name>` of the node, `infer --rtc <name>=<value>`. */
export const RTC_FIELDS = {
  enabled: {
    type: 'boolean',
    default: false,
    description:
      'guide each chunk towards the one before it, on the rows that are executed from that one until this one arrives and, less and less, beyond them',
    source: PAPER,
  },
  schedule: {
    type: 'enum',
    values: PREFIX_SCHEDULES,
    default: 'LINEAR',
    description:
      'how the weight falls behind the first inference_delay rows, which have 1: LINEAR or EXP to 0 at execution_horizon, ONES not at all until there, ZEROS at once',
    source: LEROBOT,
  },
  max_guidance_weight: {
    type: 'number',
    default: 10,
    min: 0,
    max: 1e6,
    description: 'most that the correction of a denoising step is multiplied by; 0 = no guidance',
    source: LEROBOT,
  },
  execution_horizon: {
    type: 'integer',
    default: 10,
    min: 1,
    max: 100_000,
    unit: 'steps',
    description: 'rows that are guided at most; never more than the old chunk still has',
    source: LEROBOT,
  },
  inference_delay: {
    type: 'integer',
    default: MEASURED_DELAY,
    min: MEASURED_DELAY,
    max: 100_000,
    unit: 'steps',
    description:
      'control steps from the observation until its chunk arrives. -1 = measured: the 95th percentile of the last 20 chunks in periods, rounded up, the first after loading not counted',
    source: 'this project',
  },
} as const satisfies FieldTable;

export type RtcSettings = FieldValues<typeof RTC_FIELDS>;

/** The settings by default. */
export const RTC_DEFAULTS: RtcSettings = rtcSettings({});

/** Settings with the defaults filled in. @throws UsageError for unknown names and values out of range */
export function rtcSettings(given: Readonly<Record<string, unknown>>): RtcSettings {
  return resolveSettings('rtc', RTC_FIELDS, given, NOMINAL_MODEL);
}

/** What `--rtc` says. */
export interface RtcFlag {
  readonly settings: RtcSettings;
  /** rows executed between two chunks, where the stamps are not to tell */
  readonly executed?: number;
}

/**
 * `schedule=LINEAR,inference_delay=3,executed=8`: real-time chunking is on, and keys that are left out have their
 * defaults. An empty text is all defaults.
 * @throws UsageError
 */
export function readRtc(text: string): RtcFlag {
  const given: Record<string, unknown> = { enabled: true };
  let executed: number | undefined;
  for (const part of text.split(',').filter((one) => one.trim() !== '')) {
    const equals = part.indexOf('=');
    if (equals < 1) {
      throw new UsageError(`--rtc "${part}": expected name=value, for instance inference_delay=3`);
    }
    const [name, value] = [part.slice(0, equals).trim(), part.slice(equals + 1).trim()];
    if (name === 'executed') {
      executed = Number(value);
      if (value === '' || !Number.isInteger(executed) || executed < 0) {
        throw new UsageError(`--rtc executed "${value}": expected a whole number from 0`);
      }
    } else {
      const field = fieldNamed('rtc', RTC_FIELDS, name);
      given[name] = parseValue(name, field, name === 'schedule' ? value.toUpperCase() : value);
    }
  }
  return { settings: rtcSettings(given), ...(executed === undefined ? {} : { executed }) };
}
