import { carriedJson } from '../../report/page/dom';
import type { WatchSetup } from '../messages';

/** What the page carries for its script. */
export const setup = carriedJson('setup') as WatchSetup;

/** What stands where there is nothing to show yet. */
export const NOTHING = '–';
