import { z } from 'zod';
import { code, table } from './markdown';

/** What this page needs of JSON Schema. */
interface Schema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly prefixItems?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly additionalProperties?: boolean | Schema;
  readonly exclusiveMinimum?: number;
  readonly minimum?: number;
}

/** Every key of a document that a schema describes, one row each: `cameras[].x`, what it may be, whether it must be there. */
export function schemaTable(schema: z.ZodType): string {
  const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Schema;
  return table(['key', 'value', 'must be there', 'what it is'], rowsOf(json, '', ''));
}

function rowsOf({ properties = {}, required = [] }: Schema, prefix: string, inherited: string): string[][] {
  return Object.entries(properties).flatMap(([key, value]) => {
    const path = `${prefix}${key}`;
    const text = value.description ?? inherited;
    const standard = value.default === undefined ? '' : `; else ${JSON.stringify(value.default)}`;
    const row = [code(path), valueOf(value) + standard, required.includes(key) ? 'yes' : '', text];
    return [row, ...below(value, path)];
  });
}

/** The rows of what a value holds: of an object's keys, of the objects of a list, of each form of several. */
function below(value: Schema, path: string): string[][] {
  if (value.properties) return rowsOf(value, `${path}.`, '');
  if (value.items?.properties) return rowsOf(value.items, `${path}[].`, '');
  return (value.anyOf ?? []).flatMap((form) => below(form, path));
}

function valueOf(value: Schema): string {
  if (Array.isArray(value.type)) {
    return value.type.map((type: string) => valueOf({ ...value, type })).join(' or ');
  }
  if (value.const !== undefined) return code(JSON.stringify(value.const));
  if (value.enum) return value.enum.map((word) => code(String(word))).join(', ');
  if (value.anyOf) return [...new Set(value.anyOf.map(valueOf))].join(' or ');
  if (value.prefixItems) return `list of ${value.prefixItems.map(valueOf).join(', ')}`;
  if (value.items) return `list of ${value.items.properties ? 'mappings' : valueOf(value.items)}`;
  if (value.properties ?? value.additionalProperties) return 'mapping';
  const number = value.type === 'integer' ? 'whole number' : 'number';
  const least = value.exclusiveMinimum === 0 ? ' above 0' : value.minimum === 0 ? ', 0 or more' : '';
  if (value.type === 'integer' || value.type === 'number') return number + least;
  if (value.type === 'boolean') return '`true` or `false`';
  return value.type === 'null' ? '`null`' : 'text';
}
