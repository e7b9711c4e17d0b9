// gather as written in spec.ts: the sum over the terms of every dimension.

import { coordinatesOf, indexOf } from '../../src/tensor/packed.ts';
import type { Reference } from '../kernel.ts';
import type { Gather } from './spec.ts';

export const gather: Reference<Gather> = (kernel, inputs, output, result) => {
  const value = (at: number[]): number => {
    const source = new Array<number>(at.length);
    kernel.permutation.forEach((dimension, a) => {
      source[dimension] = at[a];
    });
    for (const x of inputs) {
      if (source[kernel.concatAxis] < x.shape[kernel.concatAxis]) return x.data[indexOf(source, x.shape)];
      source[kernel.concatAxis] -= x.shape[kernel.concatAxis];
    }
    throw new Error('gather: an index lies outside the inputs');
  };
  const sum = (position: number[], source: number[]): number => {
    const a = source.length;
    if (a === position.length) return value(source);
    const map = kernel.maps[a];
    if (!map) return sum(position, [...source, position[a]]);
    let total = 0;
    for (let j = 0; j < map.terms; j++) {
      const e = position[a] * map.terms + j;
      if (map.index[e] >= 0) total += map.weight[e] * sum(position, [...source, map.index[e]]);
    }
    return total;
  };
  for (let i = 0; i < result.length; i++) result[i] = sum(coordinatesOf(i, output), []);
};
