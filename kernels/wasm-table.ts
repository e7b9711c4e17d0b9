// The wasm renderings by family.

import { renderGather } from './gather/wasm.ts';
import type { Family } from './kernel.ts';
import { renderMap } from './map/wasm.ts';
import { renderReduce } from './reduce/wasm.ts';
import { renderTapConv } from './tap-conv/render.ts';
import { renderTapCorrelate } from './tap-correlate/render.ts';
import type { RenderWasm } from './wasm.ts';
import { renderWindow } from './window/wasm.ts';

export const wasmRenderings = {
  'tap-conv': renderTapConv,
  'tap-correlate': renderTapCorrelate,
  window: renderWindow,
  map: renderMap,
  reduce: renderReduce,
  gather: renderGather,
} satisfies Record<Family, RenderWasm>;
