import type { Parameter } from './Parameter';
import { nearestName } from '../words/nearestName';
import { quoted } from '../words/quoted';

/** Parameters whose names hold a name that the user or the bundle gives: `cameras.<camera>.topic`. */
export interface ParameterFamily {
  /** with one `<word>` for the free part, for people */
  readonly pattern: string;
  readonly parameter: Omit<Parameter, 'name'>;
}

/** All parameters of one node. */
export class ParameterTable {
  readonly parameters: readonly Parameter[];
  readonly families: readonly ParameterFamily[];
  readonly #byName: ReadonlyMap<string, Parameter>;
  readonly #matchers: readonly { readonly regExp: RegExp; readonly family: ParameterFamily }[];

  constructor(parameters: readonly Parameter[], families: readonly ParameterFamily[] = []) {
    this.parameters = parameters;
    this.families = families;
    this.#byName = new Map(parameters.map((parameter) => [parameter.name, parameter]));
    this.#matchers = families.map((family) => {
      const name = family.pattern
        .split(/<\w+>/)
        .map((part) => part.replaceAll('.', '\\.'))
        .join('[^.]+');
      return { regExp: new RegExp(`^${name}$`), family };
    });
  }

  /** The parameter of that name, a member of a family included; undefined if there is none. */
  find(name: string): Parameter | undefined {
    const known = this.#byName.get(name);
    if (known) return known;
    const family = this.#matchers.find(({ regExp }) => regExp.test(name))?.family;
    return family && { ...family.parameter, name };
  }

  /** Members of families as somebody may have meant them: as many parts, and what is free in the pattern as it was said. */
  #familyNames(name: string): readonly string[] {
    const parts = name.split('.');
    return this.families
      .map(({ pattern }) => pattern.split('.'))
      .filter((pattern) => pattern.length === parts.length)
      .map((pattern) => pattern.map((part, i) => (part.startsWith('<') ? parts[i] : part)).join('.'));
  }

  /** The parameter that somebody may have meant with a name that is not in the table. */
  nearest(name: string): string | undefined {
    return nearestName(name, [...this.#byName.keys(), ...this.#familyNames(name)]);
  }

  /** The sentence for a name that is not in the table, with the nearest one that is. */
  unknown(name: string): string {
    const near = this.nearest(name);
    if (near !== undefined) return `there is no parameter ${quoted(name)}; did you mean ${near}?`;
    const group = name.split('.')[0] ?? '';
    const relatives = [...this.#byName.keys(), ...this.families.map(({ pattern }) => pattern)].filter(
      (known) => known.startsWith(`${group}.`),
    );
    const hint = relatives.length > 0 ? `; under ${group} there are ${relatives.join(', ')}` : '';
    return `there is no parameter ${quoted(name)}${hint}`;
  }
}
