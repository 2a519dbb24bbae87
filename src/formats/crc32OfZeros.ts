/** The reflected polynomial of zip's CRC-32. */
const POLYNOMIAL = 0xedb88320;

/** A 32x32 bit matrix by its columns: column i is the image of bit i. */
type BitMatrix = Uint32Array;

/**
 * CRC-32 of `length` zero bytes in time that grows with the logarithm of `length`, for holes in files of any size.
 *
 * The CRC's register after a zero byte is a linear function (over bits) of the register before it, so n zero bytes
 * are the n-th power of one bit matrix.
 */
export function crc32OfZeros(length: number): number {
  let register = 0xffffffff;
  for (let rest = length, i = 0; rest > 0; rest = Math.floor(rest / 2), i++) {
    if (rest % 2 === 1) register = apply(power(i), register);
  }
  return ~register >>> 0;
}

/** Entry i: what 2^i zero bytes do to the register. */
const powers: BitMatrix[] = [];

function power(i: number): BitMatrix {
  let matrix = powers[i];
  if (matrix === undefined) {
    const half = i === 0 ? undefined : power(i - 1);
    matrix = half ? half.map((column) => apply(half, column)) : zeroByte();
    powers[i] = matrix;
  }
  return matrix;
}

/** What one zero byte does to the register. */
function zeroByte(): BitMatrix {
  return Uint32Array.from({ length: 32 }, (_, bit) => {
    let register = (1 << bit) >>> 0;
    for (let shift = 0; shift < 8; shift++) {
      register = (register & 1) === 1 ? (register >>> 1) ^ POLYNOMIAL : register >>> 1;
    }
    return register;
  });
}

function apply(matrix: BitMatrix, vector: number): number {
  let image = 0;
  matrix.forEach((column, bit) => {
    if (((vector >>> bit) & 1) === 1) image ^= column;
  });
  return image >>> 0;
}
