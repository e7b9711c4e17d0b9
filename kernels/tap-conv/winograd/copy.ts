// WebAssembly text that copies the part of a box that is there, cell by cell or row by row, with extents read from a
// table: for blocks at the ends of the input and output, and for channels that do not fill vectors.

import { bump, get, i32, locals, set, times } from '../../wasm-text.ts';
import { type Dimension, stridesOf } from './geometry.ts';

export interface BoxCopy {
  readonly name: string;
  /** The cells that a block reads, or those of its output. */
  readonly which: 'in' | 'out';
  /** Bytes of a cell that are copied, and of one in the box. */
  readonly bytes: number;
  readonly cell: number;
}

/** A function `$name (tensor, box, row)` that copies every cell there is to a box of zeros. */
export const copyToBox = (dimensions: readonly Dimension[], copy: BoxCopy): string => {
  const { sides, size } = boxOf(dimensions, copy);
  return copyBox(copy, sides, size);
};

/** A function `$name (box, tensor, row)` that copies every cell there is from a box. */
export const copyFromBox = (dimensions: readonly Dimension[], copy: BoxCopy): string => {
  const { sides } = boxOf(dimensions, copy);
  return copyBox(
    copy,
    sides.map(({ word, source, target }) => ({ word, source: target, target: source })),
  );
};

// From the tensor to the box, and bytes of the box.
function boxOf(dimensions: readonly Dimension[], { which, cell }: BoxCopy): { sides: Side[]; size: number } {
  const inner = which === 'in';
  const cells = dimensions.map(d => (inner ? d.cellsIn : d.cellsOut));
  const strides = stridesOf(cells, cell);
  const sides = dimensions.map((d, a) => ({
    word: 4 + a + (inner ? 0 : dimensions.length),
    source: inner ? d.pitchIn : d.pitchOut,
    target: strides[a],
  }));
  return { sides, size: cells[0] * strides[0] };
}

/** One dimension of the box, outermost first. */
interface Side {
  /** Word of the table row that holds how many cells are there. */
  readonly word: number;
  /** Bytes between neighbours. */
  readonly source: number;
  readonly target: number;
}

// A function `$name (source, target, row)`; `clear` bytes of the target are filled with zeros first.
function copyBox({ name, bytes: cellBytes }: BoxCopy, sides: readonly Side[], clear = 0): string {
  const inner = sides.at(-1)!;
  const there = (side: Side) => `(i32.load offset=${side.word * 4} ${get('row')})`;
  const contiguous = inner.source === cellBytes && inner.target === cellBytes;
  const looped = contiguous ? sides.slice(0, -1) : sides;
  const bytes = contiguous ? times(there(inner), i32(cellBytes)) : i32(cellBytes);
  let text = `(memory.copy ${get(`t${looped.length}`)} ${get(`s${looped.length}`)} ${bytes})`;
  for (let l = looped.length - 1; l >= 0; l--) {
    const { source, target } = looped[l];
    text = `${set(`n${l}`, there(looped[l]))}
      (block $done${l} (loop $more${l}
        (br_if $done${l} (i32.eqz ${get(`n${l}`)}))
        ${set(`s${l + 1}`, get(`s${l}`))} ${set(`t${l + 1}`, get(`t${l}`))} ${text}
        ${bump(`s${l}`, source)} ${bump(`t${l}`, target)} ${bump(`n${l}`, -1)} (br $more${l})))`;
  }
  return `(func $${name} (param $s0 i32) (param $t0 i32) (param $row i32)
    ${locals('i32', ...looped.flatMap((_, l) => [`s${l + 1}`, `t${l + 1}`, `n${l}`]))}
    ${clear ? `(memory.fill ${get('t0')} ${i32(0)} ${i32(clear)})` : ''} ${text})`;
}
