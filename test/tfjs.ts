// TensorFlow.js, as the bundle of @vladmandic/face-api has it, to compare with. It is made for browsers and looks for a
// window; it computes in plain JavaScript here.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The folder of the package. */
export const faceApiFolder = dirname(
  createRequire(import.meta.url).resolve('@vladmandic/face-api/package.json'),
);

/** The module; TensorFlow.js is its `tf`. */
export async function loadFaceApi(): Promise<any> {
  const page = { window: globalThis, document: { createElement: () => ({ getContext: () => null }) } };
  Object.assign(globalThis, page);
  const { warn } = console;
  console.warn = () => {};
  try {
    const faceApi = await import(join(faceApiFolder, 'dist/face-api.esm.js'));
    await faceApi.tf.setBackend('cpu');
    return faceApi;
  } finally {
    console.warn = warn;
    for (const name of Object.keys(page)) delete (globalThis as Record<string, unknown>)[name];
  }
}

/** A layers-model from its files, for an input of another size where `inputShape` is given. */
export function loadLayersModel(tf: any, path: string, inputShape?: readonly number[]): Promise<any> {
  const json = JSON.parse(readFileSync(path, 'utf8'));
  const topology = json.modelTopology;
  const { config } = topology.model_config ?? topology;
  const layers = Array.isArray(config) ? config : config.layers;
  if (inputShape) layers[0].config.batch_input_shape = [null, ...inputShape];
  const groups: { paths: string[]; weights: object[] }[] = json.weightsManifest;
  const parts = groups.flatMap(({ paths }) => paths.map(name => readFileSync(join(dirname(path), name))));
  const bytes = Buffer.concat(parts);
  const weightData = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  const weightSpecs = groups.flatMap(({ weights }) => weights);
  return tf.loadLayersModel({ load: async () => ({ modelTopology: topology, weightSpecs, weightData }) });
}
