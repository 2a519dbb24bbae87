/** An image as the model sees it: RGB, uint8, row-major [height, width, 3], no padding between rows. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  /** length height * width * 3 */
  readonly data: Uint8Array;
}

export interface ImageSize {
  readonly width: number;
  readonly height: number;
}

/**
 * How a frame fills its box: `cover` scales it, aspect kept, until the box is covered and cuts the overhang
 * evenly (LIBERO); `stretch` scales both sides on their own (RoboTwin).
 */
export type Fit = 'cover' | 'stretch';

/** Where one camera lies in the composed image, in pixels from the top left corner. */
export interface CameraPlacement {
  readonly name: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** Turn the frame by 180° before anything else is done to it. */
  readonly rotate180: boolean;
  readonly fit: Fit;
}
