// ONNX DepthToSpace and SpaceToDepth, in any rank: blocks of cells that become channels, and back.

import { type Item, natural } from '../lowering.ts';
import type { OnnxNode } from './node.ts';

// Between depth and space in any rank: C = b^d · C', blocks before (DCR) or after (CRD) the channels that stay.
export function depthToSpace(node: OnnxNode): Item {
  const x = node.input(0);
  const b = node.int('blocksize', 1);
  const [batch, channels, ...spatial] = x.shape;
  const d = spatial.length;
  const depth = channels / b ** d;
  if (!Number.isInteger(depth))
    throw node.error(`${channels} channels in blocks of ${b}`, 'export the model again');
  const blocks = spatial.map(() => b);
  const first = node.text('mode', 'DCR') === 'DCR';
  const wide = first ? [batch, ...blocks, depth, ...spatial] : [batch, depth, ...blocks, ...spatial];
  const [depthAt, blockAt] = first ? [1 + d, 1] : [1, 2];
  const permutation = [0, depthAt, ...spatial.flatMap((_, a) => [2 + d + a, blockAt + a])];
  const moved = node.lowering.transpose(node.lowering.reshape(x, wide), permutation);
  return node.lowering.reshape(moved, [batch, depth, ...spatial.map(n => n * b)]);
}

export function spaceToDepth(node: OnnxNode): Item {
  const x = node.input(0);
  const b = node.int('blocksize', 1);
  const [batch, channels, ...spatial] = x.shape;
  const d = spatial.length;
  if (spatial.some(n => n % b !== 0))
    throw node.error(`sizes [${spatial}] in blocks of ${b}`, 'pad the input');
  const wide = [batch, channels, ...spatial.flatMap(n => [n / b, b])];
  const at = natural(d);
  const permutation = [0, ...at.map(a => 3 + 2 * a), 1, ...at.map(a => 2 + 2 * a)];
  const moved = node.lowering.transpose(node.lowering.reshape(x, wide), permutation);
  return node.lowering.reshape(moved, [batch, channels * b ** d, ...spatial.map(n => n / b)]);
}
