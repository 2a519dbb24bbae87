import { byId } from '../../report/page/dom';
import { LARGEST_SLIDER_REFRESH } from '../messages';
import type { FieldSetup, WrittenSettings } from '../messages';
import { Sender, say } from './program';
import { setup } from './setup';

/** Settings that have sliders; the others stand in a list. */
const WITH_SLIDERS = ['refresh_interval', 'range'] as const;

const policy = byId('policy', HTMLSelectElement);
const refresh = byId('refresh', HTMLInputElement);
const refreshValue = byId('refresh-value', HTMLInputElement);
const start = byId('start', HTMLInputElement);
const end = byId('end', HTMLInputElement);
const noise = byId('noise', HTMLSelectElement);
const fields = byId('fields');

/** What the controls show; the program has the last word on what is in use. */
let draft: WrittenSettings = { policy: 'none', values: {}, noise: 'fixed' };
let refused = false;
/** the policy whose list of settings stands there */
let listed = '';

const sender = new Sender(
  () => ({ do: 'settings', ...draft, values: { ...draft.values } }),
  (sentence) => {
    say(byId('settings-refusal'), sentence);
    refused = sentence !== '';
    for (const row of byId('range-row').children)
      row.classList.toggle('invalid', refused && sentence.startsWith('range'));
  },
);

/** Shows the settings in use, unless a person is about to change them. */
export function showSettingsInUse(inUse: WrittenSettings): void {
  if (sender.busy || refused) return;
  draft = inUse;
  listFields();
  showDraft();
}

/** Lets the controls change the settings. */
export function wireSettings(): void {
  policy.addEventListener('change', () => {
    // R and range mean the same to the policies that have both.
    const kept = fieldsOf(policy.value).some(({ name }) => name === 'range') ? WITH_SLIDERS : [];
    const values = Object.fromEntries(
      kept.flatMap((name) => {
        const value = draft.values[name];
        return value === undefined ? [] : [[name, value] as const];
      }),
    );
    draft = { ...draft, policy: policy.value, values };
    listFields();
    showDraft();
    void sender.send();
  });
  refresh.addEventListener('input', () => set('refresh_interval', refresh.value));
  refreshValue.addEventListener('change', () => set('refresh_interval', refreshValue.value));
  for (const input of [start, end])
    input.addEventListener('input', () => set('range', `${start.value}:${end.value}`));
  noise.addEventListener('change', () => {
    draft = { ...draft, noise: noise.value as WrittenSettings['noise'] };
    void sender.send();
  });
}

const fieldsOf = (name: string): readonly FieldSetup[] =>
  setup.policies.find((one) => one.name === name)?.fields ?? [];
const fieldOf = (name: string): FieldSetup | undefined =>
  fieldsOf(draft.policy).find((field) => field.name === name);
const valueOf = (name: string): string => draft.values[name] ?? fieldOf(name)?.default ?? '';

function set(name: string, value: string): void {
  const entries = Object.entries({ ...draft.values, [name]: value });
  const words = new Set(entries.map(([, one]) => one));
  // Settings of a policy that takes over the tail belong to it alone.
  const belongs = (one: string): boolean => !one.includes('.') || words.has(one.split('.')[0] ?? '');
  const values = Object.fromEntries(entries.filter(([one, text]) => text !== '' && belongs(one)));
  draft = { ...draft, values };
  showDraft();
  void sender.send();
}

function showDraft(): void {
  policy.value = draft.policy;
  byId('policy-title').textContent = setup.policies.find(({ name }) => name === draft.policy)?.title ?? '';
  noise.value = draft.noise;
  const hasRefresh = fieldOf('refresh_interval') !== undefined;
  byId('refresh-row').hidden = !hasRefresh;
  byId('refresh-hint').hidden = !hasRefresh;
  if (hasRefresh) {
    const interval = Number(valueOf('refresh_interval'));
    refresh.value = String(Math.min(interval, LARGEST_SLIDER_REFRESH));
    if (document.activeElement !== refreshValue) refreshValue.value = String(interval);
    byId('refresh-hint').textContent = refreshHint(draft.policy, interval);
  }
  const hasRange = fieldOf('range') !== undefined;
  byId('range-row').hidden = !hasRange;
  if (hasRange) {
    const [first = '', last = ''] = valueOf('range').split(':');
    start.value = first;
    end.value = last;
    byId('start-value').textContent = `step ${first}`;
    byId('end-value').textContent = `step ${last}`;
  }
  for (const input of fields.querySelectorAll<HTMLInputElement | HTMLSelectElement>('[data-field]')) {
    const name = input.dataset['field'] ?? '';
    if (document.activeElement === input) continue;
    input.value = input instanceof HTMLSelectElement ? valueOf(name) : (draft.values[name] ?? '');
  }
}

/** Inputs for the settings that have no slider. */
function listFields(): void {
  if (listed === draft.policy) return;
  listed = draft.policy;
  const sliders: readonly string[] = WITH_SLIDERS;
  const rest = fieldsOf(draft.policy).filter(({ name }) => !sliders.includes(name));
  fields.replaceChildren(...rest.map(fieldRow));
}

function fieldRow(field: FieldSetup): HTMLElement {
  const label = document.createElement('label');
  label.className = 'row';
  label.title = field.unit === '' ? field.description : `${field.description} [${field.unit}]`;
  const name = document.createElement('span');
  name.textContent = field.name;
  const input = inputOf(field);
  input.dataset['field'] = field.name;
  input.addEventListener('change', () => set(field.name, input.value.trim()));
  label.append(name, input);
  return label;
}

function inputOf({ type, values, default: preset }: FieldSetup): HTMLInputElement | HTMLSelectElement {
  const choices = type === 'boolean' ? ['true', 'false'] : values;
  if (choices.length > 0) {
    const select = document.createElement('select');
    select.append(...choices.map((choice) => new Option(choice, choice)));
    return select;
  }
  const input = document.createElement('input');
  input.type = 'text';
  input.placeholder = preset;
  return input;
}

function refreshHint(name: string, interval: number): string {
  if (interval === 1) return 'every chunk is computed in full';
  const nth = `${interval}${interval === 2 ? 'nd' : interval === 3 ? 'rd' : 'th'} chunk`;
  if (name === 'adaptive')
    return interval === 0 ? 'refreshes only when it decides to' : `refreshes in every ${nth} at the latest`;
  return interval === 0
    ? 'only the first chunk of an episode is computed in full'
    : `every ${nth} is computed in full`;
}
