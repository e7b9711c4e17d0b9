// The gpu.js rendering of any kernel call.

import { renderGather } from './gather/gpujs.ts';
import type { RenderGpujs } from './gpujs-pass.ts';
import type { Family } from './kernel.ts';
import { renderMap } from './map/gpujs.ts';
import { renderReduce } from './reduce/gpujs.ts';
import { renderTapConv } from './tap-conv/gpujs.ts';
import { renderTapCorrelate } from './tap-correlate/gpujs.ts';
import { renderWindow } from './window/gpujs.ts';

const table = {
  'tap-conv': renderTapConv,
  'tap-correlate': renderTapCorrelate,
  window: renderWindow,
  map: renderMap,
  reduce: renderReduce,
  gather: renderGather,
} satisfies { [F in Family]: RenderGpujs };

/** Renders any call. */
export const renderGpujs: RenderGpujs = call => table[call.kernel.family](call);
