import { existsSync } from 'node:fs';
import { z } from 'zod';
import type { ModelDimensions } from '../../bundle/layout';
import { InputError, UsageError } from '../../errors';
import { checkPlacements } from '../../observation/compose';
import type { ImageSize } from '../../observation/types';
import { BUILTIN_CONFIGS } from '../builtinConfigs';
import { placedCamera, readYaml } from '../robot';
import type { RobotDescription } from '../robot';

type Camera = NonNullable<RobotDescription['cameras']>[number];

/** A picture composed of several cameras, which a policy knows as one. */
export interface Mosaic {
  readonly size: ImageSize;
  readonly cameras: readonly Camera[];
}

const schema = z.strictObject({
  width: z.number().int().positive().optional(),
  height: z.number().int().positive().optional(),
  cameras: z.array(placedCamera).min(1),
});

/**
 * `--mosaic`: `robotwin`, three names (the first above, two below it at half its size, as RoboTwin's), or a YAML file with
 * `cameras` (name, x, y, width, height) and, where it is not the policy's own, the picture's `width` and `height`.
 * @throws UsageError
 */
export function readMosaic(text: string, dims: Pick<ModelDimensions, 'width' | 'height'>): Mosaic {
  const size = { width: dims.width, height: dims.height };
  const known = BUILTIN_CONFIGS[text]?.robot.cameras;
  if (text === 'robotwin' && known)
    return below(
      known.map(({ name }) => name),
      size,
    );
  const names = text.split(',').map((name) => name.trim());
  if (!existsSync(text) && names.length === 3 && names.every((name) => name !== ''))
    return below(names, size);
  if (!existsSync(text)) {
    throw new UsageError(
      `--mosaic ${text}: expected robotwin, three camera names (above,left,right), or a YAML file with cameras`,
    );
  }
  const parsed = schema.safeParse(readYaml(text));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new UsageError(
      `${text}: ${issue?.path.map(String).join('.') || 'the document'}: ${issue?.message}`,
    );
  }
  const { cameras, width = size.width, height = size.height } = parsed.data;
  return checked({ size: { width, height }, cameras });
}

/** RoboTwin's: the first camera over two thirds of the height, the others side by side below. */
function below(names: readonly string[], size: ImageSize): Mosaic {
  const [above = '', left = '', right = ''] = names;
  const top = Math.round((size.height * 2) / 3);
  const half = Math.floor(size.width / 2);
  const box = (name: string, x: number, y: number, width: number, height: number): Camera => ({
    name,
    x,
    y,
    width,
    height,
    rotate180: false,
    fit: 'stretch',
  });
  const lower = size.height - top;
  return checked({
    size,
    cameras: [
      box(above, 0, 0, size.width, top),
      box(left, 0, top, half, lower),
      box(right, half, top, size.width - half, lower),
    ],
  });
}

function checked(mosaic: Mosaic): Mosaic {
  try {
    checkPlacements(mosaic.cameras, mosaic.size);
  } catch (error) {
    if (error instanceof InputError) throw new UsageError(`--mosaic: ${error.message}`, { cause: error });
    throw error;
  }
  return mosaic;
}
