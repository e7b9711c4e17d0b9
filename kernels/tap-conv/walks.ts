// The outputs of a tap-conv as plain walks: those of one residue class of the input dilations are rows of cells with a
// fixed step in and out, and a list of taps, each an offset into the input and one into the packed weights. Rows are cut
// into chunks that stay in the first cache.

import { channelsOf, type Layout, originOf, pitchesOf } from '../../src/tensor/layout.ts';
import { tapIndices } from '../../src/tensor/taps.ts';
import type { TapConv } from './spec.ts';

/** Cells that pass through a block of weights before the next. */
export const CHUNK = 96;

/** One residue class of outputs: chunks `[input byte, output byte, cells]` and taps `[input byte, weight byte]`. */
export interface Walk {
  chunks: number[];
  taps: number[];
}

/** The walks of a call, its chunks whole register tiles of so many cells, `tapBytes` of weights a tap. */
export function walksOf(kernel: TapConv, x: Layout, y: Layout, tileCells: number, tapBytes: number): Walk[] {
  const rank = kernel.kernelShape.length;
  const [C, K] = [channelsOf(x), channelsOf(y)];
  // Without spatial dimensions the batch is the walk.
  const [px, py] = [pitchesOf(x), pitchesOf(y)];
  const [ox, oy] = [originOf(x), originOf(y)];
  const chunk = Math.max(tileCells, Math.floor(CHUNK / tileCells) * tileCells);
  return tapIndices(kernel.inputDilations).map(residue => {
    const taps: number[] = [];
    tapIndices(kernel.kernelShape).forEach((tap, t) => {
      let offset = 0;
      for (let a = 0; a < rank; a++) {
        const q = kernel.strides[a] * residue[a] + kernel.dilations[a] * tap[a] - kernel.padLow[a];
        if (((q % kernel.inputDilations[a]) + kernel.inputDilations[a]) % kernel.inputDilations[a]) return;
        offset += (q / kernel.inputDilations[a]) * px[a + 1];
      }
      taps.push(offset * C * 4, t * tapBytes);
    });
    const counts = residue.map((r, a) =>
      Math.max(0, Math.ceil((y.shape[a + 1] - r) / kernel.inputDilations[a])),
    );
    const sizes = [y.shape[0], ...counts];
    const inSteps = [px[0], ...residue.map((_, a) => kernel.strides[a] * px[a + 1])];
    const outSteps = [py[0], ...residue.map((_, a) => kernel.inputDilations[a] * py[a + 1])];
    const first = oy + residue.reduce((sum, r, a) => sum + r * py[a + 1], 0);
    const length = sizes.at(-1)!;
    const chunks: number[] = [];
    for (const at of tapIndices(sizes.slice(0, -1))) {
      const [i, o] = at.reduce(([i, o], v, a) => [i + v * inSteps[a], o + v * outSteps[a]], [ox, first]);
      for (let p = 0; p < length; p += chunk)
        chunks.push(
          (i + p * inSteps.at(-1)!) * C * 4,
          (o + p * outSteps.at(-1)!) * K * 4,
          Math.min(chunk, length - p),
        );
    }
    return { chunks, taps };
  });
}

/** Cuts a run into as few register tiles of at most so many as can be, all about as high: `[height, how many]`. */
export function evenTiles(length: number, most: number): [number, number][] {
  const count = Math.ceil(length / most);
  const height = Math.floor(length / count);
  const higher = length - height * count;
  const found: [number, number][] = [
    [height + 1, higher],
    [height, count - higher],
  ];
  return found.filter(([, n]) => n > 0);
}
