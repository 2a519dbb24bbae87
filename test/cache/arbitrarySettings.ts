import fc from 'fast-check';
import type { Choice, Settings } from '../../src/cache/choice';
import { wordsOf } from '../../src/cache/fieldValues';
import type { FieldValue } from '../../src/cache/fieldValues';
import type { Field } from '../../src/cache/fields';
import { POLICIES, policyNamed } from '../../src/cache/registry';

const STEPS = 10;

/** Values that a field takes in a model of ten steps. */
function valueOf(field: Field): fc.Arbitrary<FieldValue> {
  switch (field.type) {
    case 'boolean':
      return fc.boolean();
    case 'enum':
    case 'policy':
      return fc.constantFrom(...wordsOf(field));
    case 'integer':
      return fc.integer({ min: field.min, max: Math.min(field.max, 1000) });
    case 'number':
      return fc
        .double({ min: field.min, max: field.max, noNaN: true })
        .map((value) => (Object.is(value, -0) ? 0 : value));
    case 'range':
      return fc
        .tuple(fc.nat(STEPS - 1), fc.nat(STEPS - 1))
        .map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
    case 'steps':
      return fc.subarray(Array.from({ length: STEPS - 1 }, (_, i) => i + 1)).map((others) => [0, ...others]);
  }
}

/** Some or all settings of a policy. */
function someOf(policy: string): fc.Arbitrary<Settings> {
  const all = Object.entries(policyNamed(policy).fields).map(([name, field]) =>
    fc.tuple(fc.constant(name), valueOf(field)),
  );
  return fc
    .tuple(fc.tuple(...all), fc.subarray(all.map((_, i) => i)))
    .map(([entries, kept]) => Object.fromEntries(entries.filter((_, i) => kept.includes(i))));
}

/** Choices of every policy in the registry, half of them of one that hands steps to another, with settings of that. */
export function arbitrarySettings(): fc.Arbitrary<Choice> {
  const all = POLICIES.map(({ name }) => name);
  const handing = POLICIES.flatMap(({ name, fields }) =>
    Object.entries<Field>(fields).flatMap(([field, definition]) =>
      definition.type === 'policy' ? [{ name, field, definition }] : [],
    ),
  );
  const withOther = fc
    .constantFrom(...handing)
    .chain(({ name, field, definition }) =>
      fc
        .tuple(someOf(name), valueOf(definition))
        .map(([values, other]) => [name, { ...values, [field]: other }] as const),
    );
  return fc
    .oneof(
      fc.constantFrom(...all).chain((name) => fc.tuple(fc.constant(name), someOf(name))),
      withOther,
    )
    .chain(([policy, values]) =>
      companionsOf(policy, values).map((companions) => ({ policy, values, companions })),
    );
}

/** Settings of the policies that one hands work to, and of those that they hand work to. */
function companionsOf(policy: string, values: Settings): fc.Arbitrary<Readonly<Record<string, Settings>>> {
  const [name] = Object.entries<Field>(policyNamed(policy).fields)
    .filter(([, field]) => field.type === 'policy')
    .map(([field, definition]) => String(values[field] ?? definition.default))
    .filter((named) => named !== 'none');
  if (name === undefined) return fc.constant({});
  return someOf(name).chain((own) => companionsOf(name, own).map((others) => ({ [name]: own, ...others })));
}

/** The settings of a choice as a person writes them, independently of the code that does so. */
export function writtenAs({ values, companions }: Choice): string[] {
  const text = (value: FieldValue): string => (typeof value === 'object' ? value.join(':') : `${value}`);
  return [
    ...Object.entries(values).map(([name, value]) => `${name}=${text(value)}`),
    ...Object.entries(companions).flatMap(([policy, own]) =>
      Object.entries(own).map(([name, value]) => `${policy}.${name}=${text(value)}`),
    ),
  ];
}
