/** Runs in the report: turns its still pictures into live ones. Without it the page loses nothing but that. */
import type { MotionData } from '../motionData';
import { carriedJson, onColourScheme } from './dom';
import { MotionCharts } from './motionCharts';

/** Seconds shown before and after a moment. */
const AROUND = 4;

// Boxes have a width only once they are shown.
document.documentElement.classList.add('script');
const against = document.querySelector<HTMLSelectElement>('#against');
const charts = new MotionCharts(
  carriedJson('motion') as MotionData,
  document.querySelectorAll<HTMLElement>('.motion'),
  against?.value ?? '',
);

/** Compares another configuration with the uncached run, and opens its worst moments. */
function compare(name: string): void {
  if (against) against.value = name;
  charts.against = name;
  for (const one of document.querySelectorAll('details.moments'))
    if (one instanceof HTMLDetailsElement) one.open = one.dataset['run'] === name;
}

/** A moment that the address names is brought into sight, also where it is folded away. */
function showNamed(): void {
  const named = document.getElementById(location.hash.slice(1));
  const folded = named?.closest('details');
  if (!named || !folded) return;
  folded.open = true;
  named.scrollIntoView({ block: 'center' });
}

against?.addEventListener('change', () => compare(against.value));
for (const link of document.querySelectorAll<HTMLElement>('a[data-time]')) {
  link.addEventListener('click', () => {
    const time = Number(link.dataset['time']);
    compare(link.dataset['run'] ?? '');
    charts.zoom(time - AROUND, time + AROUND);
  });
}
addEventListener('hashchange', showNamed);
onColourScheme(() => charts.build());
addEventListener('resize', () => charts.resize());
showNamed();
