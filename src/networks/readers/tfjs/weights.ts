// Weights of TensorFlow.js: a manifest that says which tensors lie in which shards, one after the other, perhaps
// quantised to integers with a scale and a minimum or to float16. Also the plain manifests of face-api, which are such
// lists without a model. Shards are read from the manifest's own folder alone.

import { dirname } from 'node:path';
import { readWhole, sizeOf } from '../../../formats/bytes.ts';
import { formatError } from '../../../formats/format.ts';
import { bytesOf, decodeSamples, type StoredType } from '../../../formats/samples.ts';
import { product } from '../../../tensor/layout.ts';
import { besidePath } from '../beside.ts';
import type { Constant, ElementKind } from '../constants.ts';

const types: Record<string, { stored: StoredType; kind: ElementKind }> = {
  float32: { stored: 'float32', kind: 'float' },
  float16: { stored: 'float16', kind: 'float' },
  int32: { stored: 'int32', kind: 'int' },
  uint8: { stored: 'uint8', kind: 'int' },
  uint16: { stored: 'uint16', kind: 'int' },
  bool: { stored: 'uint8', kind: 'bool' },
};

interface Entry {
  name: string;
  shape: number[];
  kind: ElementKind;
  stored: StoredType;
  scale: number;
  offset: number;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function parseEntry(file: string, value: unknown): Entry {
  const broken = (what: string) =>
    formatError(file, `its weights manifest ${what}`, 'convert the model again with tensorflowjs_converter');
  if (!isRecord(value) || typeof value.name !== 'string') throw broken('has an entry without a name');
  const { name, shape, dtype, quantization: quantised } = value;
  if (
    !Array.isArray(shape) ||
    shape.some(n => !Number.isSafeInteger(n) || n < 0) ||
    !(product(shape) <= 2 ** 31)
  )
    throw broken(`gives ${name} the impossible shape [${JSON.stringify(shape)}]`);
  const own = types[String(dtype)];
  const how = isRecord(quantised) ? quantised : undefined;
  const stored = types[String(how?.dtype ?? dtype)];
  if (!own || !stored)
    throw broken(`gives ${name} the type ${String(how?.dtype ?? dtype)}, which is not read`);
  const scale = how && stored.kind !== 'float' ? Number(how.scale) : 1;
  const offset = how && stored.kind !== 'float' ? Number(how.min) : 0;
  if (!Number.isFinite(scale) || !Number.isFinite(offset)) throw broken(`gives ${name} no scale and min`);
  return { name, shape, kind: own.kind, stored: stored.stored, scale, offset };
}

/** Whether JSON is a weights manifest: a list of groups with paths and weights. */
export const isManifest = (json: unknown): json is unknown[] =>
  Array.isArray(json) &&
  json.length > 0 &&
  json.every(group => isRecord(group) && Array.isArray(group.weights));

/**
 * Tensors of a manifest by name; `file` is the JSON file that holds it. Errors: FormatError where shards are missing, too
 * short or too long, or the manifest makes no sense.
 */
export async function readManifest(file: string, manifest: unknown): Promise<Map<string, Constant>> {
  if (!isManifest(manifest))
    throw formatError(
      file,
      'holds no weights manifest',
      'convert the model again with tensorflowjs_converter',
    );
  const tensors = new Map<string, Constant>();
  for (const group of manifest as { paths?: unknown; weights: unknown[] }[]) {
    const entries = group.weights.map(value => parseEntry(file, value));
    const paths = Array.isArray(group.paths) ? group.paths : [];
    if (paths.some(p => typeof p !== 'string'))
      throw formatError(file, 'its weights manifest has no paths', 'convert the model again');
    const shards = [...new Set(paths as string[])].map(p => besidePath(file, dirname(file), p));
    if (shards.length !== paths.length)
      throw formatError(file, 'its weights manifest names a shard twice', 'convert the model again');
    const need = entries.reduce((sum, e) => sum + product(e.shape) * bytesOf[e.stored], 0);
    const have = (await Promise.all(shards.map(sizeOf))).reduce((a, b) => a + b, 0);
    if (need !== have)
      throw formatError(
        file,
        `its tensors ${entries[0]?.name ?? ''} … need ${need} bytes and ${paths.join(', ')} hold${paths.length === 1 ? 's' : ''} ${have}`,
        'copy the shards again: one is missing, truncated or of another model',
        { need, have },
      );
    const bytes = new Uint8Array(need);
    let at = 0;
    for (const shard of shards) {
      const part = await readWhole(shard);
      if (at + part.length > need) throw formatError(shard, 'grew while it was read', 'read it again');
      bytes.set(part, at);
      at += part.length;
    }
    at = 0;
    for (const { name, shape, kind, stored, scale, offset } of entries) {
      if (tensors.has(name))
        throw formatError(file, `its weights manifest names ${name} twice`, 'convert it again');
      const count = product(shape);
      const data = decodeSamples(bytes.subarray(at), stored, count, { scale, offset });
      tensors.set(name, { kind, shape, data });
      at += count * bytesOf[stored];
    }
  }
  return tensors;
}
