import type { parse } from '@foxglove/rosmsg';
import { quoted } from '../words/quoted';

type Definition = ReturnType<typeof parse>[number];
type Field = Definition['definitions'][number];

/** What messages of a type take, known from its definition before one is decoded. */
export interface MessageCosts {
  /** Why a message of so many bytes is not decoded; undefined where it may be. */
  whyNot(bytes: number): string | undefined;
}

/** Objects, texts and truth values that one message may hold in lists: each costs many times its bytes. */
const MOST_OBJECTS = 2 ** 20;

/** Bytes of a primitive in CDR; a text is at least its length. */
const SIZES: Readonly<Record<string, number>> = {
  bool: 1,
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  uint64: 8,
  float32: 4,
  float64: 8,
  string: 4,
  time: 8,
  duration: 8,
};

/** Primitives whose lists are made of objects; the others become typed arrays over the message. */
const OBJECTS: ReadonlySet<string> = new Set(['bool', 'string', 'time', 'duration']);

/**
 * The costs of a type, its root first among the definitions.
 * @throws Error for a type that holds itself, or lists of elements that take no bytes: a count alone would be obeyed
 */
export function messageCosts(definitions: readonly Definition[]): MessageCosts {
  const isConstant = ({ definitions: fields }: Definition): boolean =>
    fields.length > 0 && fields.every((field) => field.isConstant === true);
  const root = definitions.find((one) => !isConstant(one));
  if (root === undefined) throw new Error('its definition has constants alone');
  const byName = new Map(definitions.map((one) => [one.name ?? '', one]));
  const shapes = new Map<Definition, Shape>();
  const open = new Set<Definition>();
  /** fewest bytes for each object of any list of variable length */
  let densest = Infinity;

  const shapeOfField = (field: Field): Shape => {
    if (field.isConstant === true) return NOTHING;
    const nested = field.isComplex === true ? byName.get(field.type) : undefined;
    const one = nested === undefined ? shapeOfPrimitive(field.type) : shapeOf(nested);
    if (field.isArray !== true) return one;
    const { arrayLength } = field;
    if (one.bytes === 0 && (arrayLength === undefined || arrayLength > 1)) {
      throw new Error(`its list ${quoted(field.name)} has elements of zero bytes`);
    }
    if (arrayLength !== undefined)
      return { bytes: arrayLength * one.bytes, objects: arrayLength * one.objects };
    if (one.objects > 0) densest = Math.min(densest, one.bytes / one.objects);
    return { bytes: 4, objects: 0 };
  };
  const shapeOf = (definition: Definition): Shape => {
    const known = shapes.get(definition);
    if (known !== undefined) return known;
    if (open.has(definition)) throw new Error(`its part ${quoted(definition.name ?? 'root')} holds itself`);
    open.add(definition);
    const fields = definition.definitions.filter((field) => field.isConstant !== true);
    // A type without fields has one byte in CDR.
    let bytes = fields.length === 0 ? 1 : 0;
    let objects = 1;
    for (const field of fields) {
      const shape = shapeOfField(field);
      bytes += shape.bytes;
      objects += shape.objects;
    }
    open.delete(definition);
    const shape = { bytes, objects };
    shapes.set(definition, shape);
    return shape;
  };

  const least = shapeOf(root);
  return {
    whyNot(bytes) {
      if (least.bytes > bytes) return `it takes at least ${least.bytes} bytes`;
      if (least.objects > MOST_OBJECTS || bytes / densest > MOST_OBJECTS) {
        return `it could hold more than ${MOST_OBJECTS} objects`;
      }
      return undefined;
    },
  };
}

/** What a part of a message is at least. */
interface Shape {
  readonly bytes: number;
  /** objects that decoding makes of it */
  readonly objects: number;
}

const NOTHING: Shape = { bytes: 0, objects: 0 };

function shapeOfPrimitive(type: string): Shape {
  return { bytes: SIZES[type] ?? 1, objects: OBJECTS.has(type) ? 1 : 0 };
}
