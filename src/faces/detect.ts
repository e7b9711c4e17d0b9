// Finds faces: a detector's network over the whole photo, its boxes read and those of the same face joined, then 68 points in
// each. Boxes are read as @vladmandic/face-api reads them.

import type { Backend } from '../backends/backend.ts';
import type { Forecast } from '../backends/forecast.ts';
import { embedderOf, embeddingNetwork } from '../embeddings/embedder.ts';
import { NdconvError } from '../errors.ts';
import type { Field } from '../formats/field.ts';
import { Graph } from '../graph/graph.ts';
import { planProgram } from '../graph/plan.ts';
import { Program } from '../graph/program.ts';
import { instantiate, type Network } from '../networks/network.ts';
import { openNetwork } from '../networks/registry/index.ts';
import { applyOperations } from '../prepare/run.ts';
import { type Face, type FaceBox, type Point, suppressOverlaps } from './face.ts';
import { inColour, sampleSquare } from './sample.ts';

/** Detectors by name, and how they differ. */
export const detectors = {
  'face-detector': { outputs: ['boxes', 'classes'], overlap: 0.5, read: readSingleShot },
  'face-detector-tiny': { outputs: ['conv8'], overlap: 0.4, read: readTiny },
} as const;

export type DetectorName = keyof typeof detectors;

export interface DetectOptions {
  detector: DetectorName;
  /** Least score of a face, 0 to 1. */
  score: number;
  /** Least side of a face in pixels. */
  smallest: number;
  /**
   * Border put around a photo before, as a part of its longer side: faces that fill a photo are found well only with one.
   * Where absent, a photo in which nothing is found for sure is tried again with `secondBorder`, and the better try counts.
   */
  border?: number;
}

/** Border of the second try, and the score from which a first one is good enough. */
export const secondBorder = 0.5;
const sure = 0.9;

export const detectDefaults: DetectOptions = {
  detector: 'face-detector',
  score: 0.3,
  smallest: 20,
};

/** A box in parts of the detector's input. */
interface Candidate {
  box: FaceBox;
  score: number;
}

/** What recording a network for one input of its usual size gives. */
function record(network: Network, outputs: readonly string[]) {
  const graph = new Graph();
  const values = instantiate(network, graph.input('x', [1, ...network.sizes!, network.channels]), outputs);
  return { graph, outputs: Object.fromEntries(values) };
}

/** Bytes and seconds that finding the faces of one photo takes; an estimate, seconds only where the backend has them. */
export async function planFaceFinder(
  detector: DetectorName,
  forecast: Forecast,
): Promise<{ memory: number; seconds?: number }> {
  const { graph, outputs } = record(await openNetwork(detector), detectors[detector].outputs);
  const { plan } = planProgram(graph, { outputs });
  return { memory: forecast.bytes(plan), seconds: forecast.seconds(plan) };
}

/** A network compiled for one input of its usual size. */
class Fixed {
  private readonly program: Program;
  private readonly outputs: readonly string[];

  private constructor(program: Program, outputs: readonly string[]) {
    this.program = program;
    this.outputs = outputs;
  }

  static async compile(network: Network, outputs: readonly string[], backend: Backend): Promise<Fixed> {
    const recorded = record(network, outputs);
    return new Fixed(await Program.compile(recorded.graph, { outputs: recorded.outputs }, backend), outputs);
  }

  async run(data: Float32Array): Promise<Float32Array[]> {
    await this.program.write('x', data);
    await this.program.run();
    const found: Float32Array[] = [];
    for (const name of this.outputs) found.push(await this.program.read(name));
    return found;
  }

  dispose(): Promise<void> {
    return this.program.dispose();
  }
}

/** What finds faces, as plain data: which networks, by their hashes. */
export async function describeFinder(detector: DetectorName): Promise<unknown> {
  const hash = async (name: string): Promise<string> =>
    embedderOf(embeddingNetwork(await openNetwork(name))).sha256;
  return { detector: await hash(detector), landmarks: await hash('face-landmarks') };
}

/** Finds faces in photos. Made once, used for many; `close` frees what it holds. */
export interface FaceFinder {
  /** Faces of a photo, the largest first, and how many were left out as too small. */
  find(photo: Field): Promise<{ faces: Face[]; tiny: number }>;
  /** The whole photo as if it were one face. */
  whole(photo: Field): Promise<Face>;
  close(): Promise<void>;
}

/** Loads the networks and compiles them. */
export async function openFaceFinder(options: DetectOptions, backend: Backend): Promise<FaceFinder> {
  const { detector, score, smallest, border } = options;
  const { outputs, overlap, read } = detectors[detector];
  const borders = border === undefined ? [0, secondBorder] : [border];
  const network = await openNetwork(detector);
  const priors = network.layers.find(({ name }) => name === 'priors')?.weights?.value.data;
  const [size] = network.sizes!;
  const locator = await Fixed.compile(network, outputs, backend);
  const points = await openNetwork('face-landmarks');
  const placer = await Fixed.compile(points, ['points'], backend);
  return {
    async find(given) {
      const photo = inColour(expectPhoto(given));
      const [height, width] = photo.shape;
      let boxes: Candidate[] = [];
      for (const border of borders) {
        const { data, scale, margin } = letterbox(photo, size, border);
        const found = suppressOverlaps(read(await locator.run(data), score, priors), overlap);
        if (boxes.length === 0 || (found[0]?.score ?? 0) > boxes[0].score)
          boxes = found
            .map(({ box, score }) => ({
              score,
              box: clip(box.map((v, i) => v / scale - (i < 2 ? margin : 0)) as number[], width, height),
            }))
            .filter(({ box }) => box[2] > 0 && box[3] > 0);
        if (boxes.length > 0 && boxes[0].score >= sure) break;
      }
      const large = boxes
        .filter(({ box }) => Math.min(box[2], box[3]) >= smallest)
        .sort((a, b) => b.box[2] * b.box[3] - a.box[2] * a.box[3]);
      const faces: Face[] = [];
      for (const { box, score } of large)
        faces.push({ box, score, landmarks: await place(placer, photo, box) });
      return { faces, tiny: boxes.length - large.length };
    },
    async whole(given) {
      const photo = inColour(expectPhoto(given));
      const [height, width] = photo.shape;
      const box: FaceBox = [0, 0, width, height];
      return { box, score: 0, landmarks: await place(placer, photo, box) };
    },
    async close() {
      await locator.dispose();
      await placer.dispose();
    },
  };
}

function expectPhoto(field: Field): Field {
  const { kind, shape, source } = field;
  if (kind === 'image' && shape.length === 3) return field;
  throw new NdconvError(
    'ShapeError',
    `${source}: is ${kind === 'array' ? 'an' : 'a'} ${kind} of shape ${shape.join('×')}; faces are looked for in photos (image files)`,
    { kind, shape },
  );
}

const clip = ([x, y, width, height]: number[], right: number, bottom: number): FaceBox => {
  const [x0, y0] = [Math.max(0, x), Math.max(0, y)];
  return [x0, y0, Math.min(right, x + width) - x0, Math.min(bottom, y + height) - y0];
};

/** The photo in the upper left of a square of `size`, behind a border; pixels of it per pixel of the photo. */
function letterbox(photo: Field, size: number, border: number) {
  const [height, width] = photo.shape;
  const longer = Math.max(height, width);
  const margin = Math.round(border * longer);
  const scale = size / (longer + 2 * margin);
  const sizes = [height, width].map(n => Math.max(1, Math.round(n * scale)));
  const { field } = applyOperations(photo, [{ resample: { size: sizes } }]);
  const data = new Float32Array(size * size * 3);
  const offset = Math.round(margin * scale);
  for (let y = 0; y < sizes[0] && y + offset < size; y++) {
    const row = field.data.subarray(y * sizes[1] * 3, (y + 1) * sizes[1] * 3);
    data.set(row.subarray(0, 3 * (size - offset)), ((y + offset) * size + offset) * 3);
  }
  return { data, scale, margin };
}

/** 68 points within a box, from the photo in it padded to a square. */
async function place(placer: Fixed, photo: Field, [x, y, width, height]: FaceBox): Promise<Point[]> {
  const side = Math.max(width, height);
  const [left, top] = [x - (side - width) / 2, y - (side - height) / 2];
  const scale = side / landmarkSize;
  const { data } = sampleSquare(photo, { a: scale, b: 0, x0: left, y0: top }, landmarkSize, 'black');
  const [found] = await placer.run(data);
  return Array.from({ length: 68 }, (_, i) => [left + found[2 * i] * side, top + found[2 * i + 1] * side]);
}

const landmarkSize = 112;

const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));

/** Corrections of prior boxes `[top, left, bottom, right]`, in parts of the input. */
function readSingleShot(
  [boxes, classes]: readonly Float32Array[],
  least: number,
  priors: Float32Array | undefined,
): Candidate[] {
  const found: Candidate[] = [];
  for (let i = 0; 4 * i < boxes.length; i++) {
    const score = sigmoid(classes[3 * i + 1]);
    if (score < least) continue;
    const [top, left, bottom, right] = priors!.subarray(4 * i, 4 * i + 4);
    const [dy, dx, dh, dw] = boxes.subarray(4 * i, 4 * i + 4);
    const [h, w] = [bottom - top, right - left];
    const [height, width] = [Math.exp(dh / 5) * h, Math.exp(dw / 5) * w];
    const [y, x] = [top + h / 2 + (dy / 10) * h, left + w / 2 + (dx / 10) * w];
    found.push({ box: [x - width / 2, y - height / 2, width, height], score });
  }
  return inPixels(found, 512);
}

/** Sides of the anchors of the small detector, in cells. */
const anchors = [
  [1.603231, 2.094468],
  [6.041143, 7.080126],
  [2.882459, 3.518061],
  [4.266906, 5.178857],
  [9.041765, 10.66308],
];

function readTiny([cells]: readonly Float32Array[], least: number): Candidate[] {
  const numbers = 5;
  const side = Math.round(Math.sqrt(cells.length / (numbers * anchors.length)));
  const found: Candidate[] = [];
  for (let cell = 0; cell < side * side; cell++)
    for (const [k, [anchorWidth, anchorHeight]] of anchors.entries()) {
      const at = (cell * anchors.length + k) * numbers;
      const [dx, dy, dw, dh, raw] = cells.subarray(at, at + numbers);
      const score = sigmoid(raw);
      if (score < least) continue;
      const [x, y] = [(cell % side) + sigmoid(dx), Math.floor(cell / side) + sigmoid(dy)];
      const [width, height] = [Math.exp(dw) * anchorWidth, Math.exp(dh) * anchorHeight];
      found.push({
        box: [x - width / 2, y - height / 2, width, height].map(v => v / side) as unknown as FaceBox,
        score,
      });
    }
  return inPixels(found, 416);
}

const inPixels = (found: readonly Candidate[], size: number): Candidate[] =>
  found.map(({ box, score }) => ({ score, box: box.map(v => v * size) as unknown as FaceBox }));
