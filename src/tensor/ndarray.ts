// ndarrays at the border of the public API: any strides and offset in, packed row-major float32 out. Inside the engine
// only packed data and layouts exist.

import ndarray from 'ndarray';
import { NdconvError } from '../errors.ts';
import { product } from './layout.ts';
import type { Packed } from './packed.ts';

/** Copies an ndarray into packed float32, whatever its strides, order and offset. Throws ShapeError where it is empty. */
export function packNdarray(array: ndarray.NdArray): Packed {
  const { shape, stride, offset, data } = array;
  const size = product(shape);
  if (shape.length === 0 || size === 0)
    throw new NdconvError('ShapeError', `an ndarray of shape [${shape}] has no values`, { shape });
  const read: (i: number) => number =
    'get' in data && typeof data.get === 'function'
      ? i => (data as ndarray.GenericArray<number>).get(i)
      : i => (data as ArrayLike<number>)[i];
  const packed = new Float32Array(size);
  const last = shape.length - 1;
  let written = 0;
  const copy = (axis: number, at: number): void => {
    for (let i = 0, from = at; i < shape[axis]; i++, from += stride[axis]) {
      if (axis === last) packed[written++] = read(from);
      else copy(axis + 1, from);
    }
  };
  copy(0, offset);
  return { shape: [...shape], data: packed };
}

/** An ndarray over packed values (not a copy). */
export const toNdarray = ({ shape, data }: Packed): ndarray.NdArray<Float32Array> =>
  ndarray(data, [...shape]);
