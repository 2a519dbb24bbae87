import type { ModelFacts, Parameter } from './Parameter';
import { defaultValue, dependsOnModel, problemWithParameter } from './Parameter';
import type { ParameterTable } from './ParameterTable';
import type { ParameterValue } from './parameterFile';
import type { ParameterValues } from './parameterValues';

/** A rule over several values at once; says why they do not fit together. */
export type TogetherRule = (values: ParameterValues, model: ModelFacts | undefined) => string | undefined;

/**
 * The values that the parameters of one node hold, and the rules for changing them. Setting is all or nothing, and
 * checking has no side effect: a refused set changes nothing. Knows nothing of ROS.
 */
export class ParameterSet {
  readonly table: ParameterTable;
  readonly #together: TogetherRule;
  readonly #values = new Map<string, ParameterValue>();
  /** what the user has said, as opposed to defaults */
  readonly #explicit = new Set<string>();
  #model: ModelFacts | undefined;

  constructor(table: ParameterTable, together: TogetherRule = () => undefined) {
    this.table = table;
    this.#together = together;
    for (const parameter of table.parameters) this.#values.set(parameter.name, defaultValue(parameter));
  }

  get values(): ParameterValues {
    return this.#values;
  }

  /** Names that the user has given a value. */
  get explicit(): ReadonlySet<string> {
    return this.#explicit;
  }

  /** What the user has said, without defaults. */
  get explicitValues(): ParameterValues {
    return new Map([...this.#values].filter(([name]) => this.#explicit.has(name)));
  }

  /** The value of a parameter nobody has set: its default for the model in use. */
  initialValue(parameter: Parameter): ParameterValue {
    return parameter.fromOthers?.(this.#values, parameter.name) ?? defaultValue(parameter, this.#model);
  }

  /** The facts of the loaded model; undefined while none is. */
  get model(): ModelFacts | undefined {
    return this.#model;
  }

  /**
   * Why these changes cannot be made, as one line; undefined if they can.
   * @param configured whether the node is beyond the state in which structural parameters may change
   */
  problemWith(changes: ParameterValues, configured: boolean): string | undefined {
    const changed = this.changed(changes);
    for (const [name, value] of changed) {
      const parameter = this.table.find(name);
      if (parameter === undefined) return this.table.unknown(name);
      const problem = problemWithParameter(parameter, value, this.#model);
      if (problem !== undefined) return problem;
      if (configured && parameter.settable === 'unconfigured') {
        return `${name} can only be set while the node is unconfigured; deactivate it and clean it up first`;
      }
    }
    return changed.size === 0
      ? undefined
      : this.#together(new Map([...this.#values, ...changed]), this.#model);
  }

  /** Those of the changes that change something: what is already so can always be said again. */
  changed(changes: ParameterValues): ParameterValues {
    return new Map(
      [...changes].filter(([name, value]) => {
        const parameter = this.table.find(name);
        return !parameter || !same(value, this.#values.get(name) ?? this.initialValue(parameter));
      }),
    );
  }

  /** Makes changes that {@link problemWith} has nothing against. */
  apply(changes: ParameterValues): void {
    for (const [name, value] of changes) {
      this.#values.set(name, value);
      this.#explicit.add(name);
    }
  }

  /** Takes a value that the node has found by itself: it holds, but the user has not said it. */
  report(name: string, value: ParameterValue): void {
    this.#values.set(name, value);
  }

  /**
   * Takes the facts of a model that is about to be used: checks everything the user has said against it.
   * @returns the first problem, else undefined
   */
  problemWithModel(model: ModelFacts): string | undefined {
    const values = new Map(this.#values);
    for (const parameter of this.table.parameters) {
      if (!this.#explicit.has(parameter.name)) values.set(parameter.name, defaultValue(parameter, model));
    }
    for (const [name, value] of values) {
      const parameter = this.table.find(name);
      const problem = parameter && problemWithParameter(parameter, value, model);
      if (problem !== undefined) return problem;
    }
    return this.#together(values, model);
  }

  /**
   * Holds values against this model from now on, or against none. Defaults that depend on the model become its own.
   * @returns the values that changed thereby
   */
  useModel(model: ModelFacts | undefined): ParameterValues {
    this.#model = model;
    const changed = new Map<string, ParameterValue>();
    for (const parameter of this.table.parameters) {
      if (this.#explicit.has(parameter.name) || !dependsOnModel(parameter)) continue;
      const value = defaultValue(parameter, model);
      if (!same(value, this.#values.get(parameter.name))) changed.set(parameter.name, value);
    }
    for (const [name, value] of changed) this.#values.set(name, value);
    return changed;
  }
}

function same(a: ParameterValue | undefined, b: ParameterValue | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
