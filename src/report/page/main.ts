/** Runs in the report: turns its still pictures into live ones. Without it the page loses nothing but that. */
import type { MotionData } from '../motionData';
import { carriedJson, onColourScheme } from './dom';
import { MotionCharts } from './motionCharts';

// Boxes have a width only once they are shown.
document.documentElement.classList.add('script');
const charts = new MotionCharts(
  carriedJson('motion') as MotionData,
  document.querySelectorAll<HTMLElement>('.motion'),
);
onColourScheme(() => charts.build());
addEventListener('resize', () => charts.resize());
