// Files of networks by their content: `readNetwork` where a file says how its layers are connected (ONNX, TensorFlow.js),
// `readTensors` for the named tensors of any file (safetensors, npz, npy, PyTorch state dictionaries, the manifests of
// TensorFlow.js and face-api, the weights of an ONNX model). Extensions are looked at only where the content leaves open
// what it is. Nothing that a file holds is executed.

import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { NdconvError } from '../../errors.ts';
import { latin, readHead, readWhole } from '../../formats/bytes.ts';
import { formatError } from '../../formats/format.ts';
import { isNpy, readNpy } from '../../formats/npy.ts';
import { readNpz } from '../../formats/npz.ts';
import { readSafetensors, safetensors } from '../../formats/safetensors.ts';
import type { Network } from '../network.ts';
import { readStoredNetwork } from '../stored.ts';
import { float32Of } from './constants.ts';
import { type OnnxOptions, readOnnx, readOnnxTensors } from './onnx/model.ts';
import { isLegacyPyTorch, type NamedTensor, readPyTorch } from './pytorch/state-dict.ts';
import { graphNetwork } from './tfjs/graph.ts';
import { kerasNetwork } from './tfjs/keras.ts';
import { isManifest, readManifest } from './tfjs/weights.ts';

/** Kinds of files with networks or weights. */
export type NetworkFormat = 'onnx' | 'tfjs' | 'pytorch' | 'safetensors' | 'npz' | 'npy';

/** Longest JSON that is read; weights lie in shards beside it. */
const longestJson = 2 ** 28;

/** What kind of network file this is. Errors: FormatError where it is none. */
export async function detectNetworkFormat(path: string): Promise<NetworkFormat> {
  if ((await stat(path).catch(() => undefined))?.isDirectory())
    throw formatError(
      path,
      'is a folder',
      existsSync(join(path, 'model.json')) ? `give ${join(path, 'model.json')}` : 'give the file in it',
    );
  const head = await readHead(path).catch(cause => {
    throw formatError(
      path,
      `cannot be read (${cause.code ?? cause.message})`,
      'check that it exists',
      {},
      cause,
    );
  });
  if (isNpy(head)) return 'npy';
  if (latin(head, 0, 4) === 'PK\x03\x04') {
    // A PyTorch file begins with `<name>/data.pkl` or, within TorchScript, with other members of its one folder.
    const name = latin(head, 30, 30 + head[26] + (head[27] << 8));
    return name.endsWith('.npy') ? 'npz' : 'pytorch';
  }
  if (latin(head, 0, 4) === 'PK\x05\x06') return 'npz';
  if (isLegacyPyTorch(head)) return 'pytorch';
  if (safetensors.detect(head, path)) return 'safetensors';
  const text = latin(head, 0, 64)
    .replace(/^\xef\xbb\xbf/, '')
    .trimStart();
  if (text.startsWith('{') || text.startsWith('[')) return 'tfjs';
  // ModelProto begins with its first field, irVersion, or in odd files with another small one.
  if (/\.onnx$/i.test(path) || (head[0] === 0x08 && head[1] > 0 && head[1] < 32)) return 'onnx';
  throw formatError(
    path,
    'is no file of a network that is read',
    'use .onnx, .safetensors, .npz, .npy, a .pth state dictionary, or a TensorFlow.js model.json',
  );
}

async function readJson(path: string): Promise<Record<string, unknown> | unknown[]> {
  const { size } = await stat(path);
  if (size > longestJson)
    throw formatError(path, `is ${size} bytes of JSON`, 'keep the weights in shards', { size });
  try {
    const json: unknown = JSON.parse(
      Buffer.from(await readWhole(path))
        .toString('utf8')
        .replace(/^\ufeff/, ''),
    );
    if (typeof json === 'object' && json !== null) return json as Record<string, unknown> | unknown[];
  } catch (cause) {
    if (cause instanceof NdconvError) throw cause;
    throw formatError(
      path,
      `is no JSON (${(cause as Error).message})`,
      'copy or convert it again',
      {},
      cause,
    );
  }
  throw formatError(path, 'holds no model', 'convert it again with tensorflowjs_converter');
}

/**
 * The network of an ONNX model, a TensorFlow.js layers- or graph-model, or what ndconv trained, its layers by the names of their origin.
 * `options` hold for ONNX. Errors: FormatError for damaged files and files of weights alone, NetworkError naming the node
 * and operator that are not read.
 */
export async function readNetwork(path: string, options: OnnxOptions = {}): Promise<Network> {
  const format = await detectNetworkFormat(path);
  if (format === 'onnx') return readOnnx(path, options);
  const stored = format === 'safetensors' ? await readStoredNetwork(path) : undefined;
  if (stored) return stored;
  if (format !== 'tfjs')
    throw formatError(
      path,
      `holds ${format === 'pytorch' ? 'the weights of a PyTorch network' : `named tensors (${format})`} and does not say how its layers are connected`,
      'name a known network for these weights, write its layers out, or export it as ONNX',
      { format },
    );
  const json = await readJson(path);
  const { modelTopology: topology, weightsManifest, signature } = json as Record<string, unknown>;
  if (typeof topology !== 'object' || topology === null)
    throw formatError(
      path,
      isManifest(json) ? 'is a manifest of weights alone' : 'has no modelTopology',
      isManifest(json) ? 'name a known network for these weights' : 'convert it with tensorflowjs_converter',
    );
  const weights = await readManifest(path, weightsManifest);
  const record = topology as Record<string, unknown>;
  return Array.isArray(record.node)
    ? graphNetwork(path, record, weights, signature)
    : kerasNetwork(path, record, weights);
}

/**
 * The named tensors of a file, in the order of their origin, as float32. The one array of an npy file has the name ''.
 * Errors: FormatError.
 */
export async function readTensors(path: string): Promise<Map<string, NamedTensor>> {
  const format = await detectNetworkFormat(path);
  if (format === 'tfjs') {
    const json = await readJson(path);
    const manifest = Array.isArray(json) ? json : json.weightsManifest;
    return new Map(
      [...(await readManifest(path, manifest))].map(([name, c]) => [
        name,
        { shape: c.shape, data: float32Of(c) },
      ]),
    );
  }
  if (format === 'onnx') return readOnnxTensors(path);
  const bytes = await readWhole(path);
  if (format === 'safetensors') return readSafetensors(bytes, path);
  if (format === 'pytorch') return readPyTorch(bytes, path);
  if (format === 'npy') return new Map([['', readNpy(bytes, path)]]);
  return new Map([...(await readNpz(bytes, path))].map(([name, { shape, data }]) => [name, { shape, data }]));
}
