// Brings a face to the place, size and direction that the recognition network knows: the similarity transform that takes its
// landmarks closest to those of a mean face (Umeyama 1991), as dlib cuts out the faces that its network was trained on
// (King 2017), and the square around the landmarks for comparison.

import type { Field } from '../formats/field.ts';
import type { Face, Point } from './face.ts';
import { type Beyond, inColour, type Similarity, sampleSquare } from './sample.ts';

/** How faces are cut out. */
export interface AlignOptions {
  /** landmarks: turned and scaled to the mean face. square: the square around the landmarks, upright. */
  method: 'landmarks' | 'square';
  /** Side in pixels. */
  size: number;
  /** Around the face, as a part of its size. */
  padding: number;
  beyond: Beyond;
}

export const alignDefaults: AlignOptions = { method: 'landmarks', size: 150, padding: 0.25, beyond: 'black' };

/** Places of landmarks 17 to 67 in dlib's mean face, in a square from the brows to the lower lip. */
const meanX = [
  0.000213256, 0.0752622, 0.18113, 0.29077, 0.393397, 0.586856, 0.689483, 0.799124, 0.904991, 0.98004,
  0.490127, 0.490127, 0.490127, 0.490127, 0.36688, 0.426036, 0.490127, 0.554217, 0.613373, 0.121737, 0.187122,
  0.265825, 0.334606, 0.260918, 0.182743, 0.645647, 0.714428, 0.793132, 0.858516, 0.79751, 0.719335, 0.254149,
  0.340985, 0.428858, 0.490127, 0.551395, 0.639268, 0.726104, 0.642159, 0.556721, 0.490127, 0.423532,
  0.338094, 0.290379, 0.428096, 0.490127, 0.552157, 0.689874, 0.553364, 0.490127, 0.42689,
];
const meanY = [
  0.106454, 0.038915, 0.0187482, 0.0344891, 0.0773906, 0.0773906, 0.0344891, 0.0187482, 0.038915, 0.106454,
  0.203352, 0.307009, 0.409805, 0.515625, 0.587326, 0.609345, 0.628106, 0.609345, 0.587326, 0.216423,
  0.178758, 0.179852, 0.231733, 0.245099, 0.244077, 0.231733, 0.179852, 0.178758, 0.216423, 0.244077,
  0.245099, 0.780233, 0.745405, 0.727388, 0.742578, 0.727388, 0.745405, 0.780233, 0.864805, 0.902192,
  0.909281, 0.902192, 0.864805, 0.784792, 0.778746, 0.785343, 0.778746, 0.784792, 0.824182, 0.831803,
  0.824182,
];
const firstMean = 17;

/** Landmarks that speak move little: neither brows nor the lower lip. */
const steady = Array.from({ length: 68 }, (_, i) => i).filter(
  i => i > 26 && !(i >= 55 && i <= 59) && !(i >= 65 && i <= 67),
);

/** The similarity that takes `from` to `to` with the least squared error (without mirroring). */
export function fitSimilarity(from: readonly Point[], to: readonly Point[]): Similarity {
  const mean = (points: readonly Point[], c: 0 | 1): number =>
    points.reduce((sum, point) => sum + point[c], 0) / points.length;
  const [fx, fy, tx, ty] = [mean(from, 0), mean(from, 1), mean(to, 0), mean(to, 1)];
  let [along, across, spread] = [0, 0, 0];
  for (const [i, [x, y]] of from.entries()) {
    const [u, v, s, t] = [x - fx, y - fy, to[i][0] - tx, to[i][1] - ty];
    along += u * s + v * t;
    across += u * t - v * s;
    spread += u * u + v * v;
  }
  const [a, b] = [along / spread, across / spread];
  return { a, b, x0: tx - (a * fx - b * fy), y0: ty - (b * fx + a * fy) };
}

/** From pixels of the aligned image to those of the photo. */
export function alignment({ landmarks }: Face, { method, size, padding }: AlignOptions): Similarity {
  if (method === 'square') {
    const bounds = [0, 1].map(c => {
      const values = landmarks.map(point => point[c]);
      return [Math.min(...values), Math.max(...values)];
    });
    const side = Math.max(...bounds.map(([low, high]) => high - low)) * (1 + 2 * padding);
    const [x, y] = bounds.map(([low, high]) => (low + high) / 2);
    return { a: side / size, b: 0, x0: x - side / 2, y0: y - side / 2 };
  }
  const placed = (mean: readonly number[], i: number): number =>
    ((mean[i - firstMean] + padding) / (1 + 2 * padding)) * size;
  const targets = steady.map((i): Point => [placed(meanX, i), placed(meanY, i)]);
  return fitSimilarity(
    targets,
    steady.map(i => landmarks[i]),
  );
}

/** A face cut out of its photo, `[size, size, 3]`. */
export const alignFace = (photo: Field, face: Face, options: AlignOptions): Field =>
  sampleSquare(inColour(photo), alignment(face, options), options.size, options.beyond);
