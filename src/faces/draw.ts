// A photo with its faces drawn in, for reports: boxes and landmarks on a copy of moderate size.

import type { Field } from '../formats/field.ts';
import { applyOperations } from '../prepare/run.ts';
import type { Face } from './face.ts';
import { inColour } from './sample.ts';

type Colour = readonly [number, number, number];

const boxColour: Colour = [0.1, 0.9, 0.3];
const pointColour: Colour = [1, 0.85, 0.1];

/** The photo, at most `longest` pixels a side, with boxes in green and landmarks in yellow. */
export function drawFaces(photo: Field, faces: readonly Face[], longest = 480): Field {
  const whole = inColour(photo);
  const ratio = Math.min(1, longest / Math.max(whole.shape[0], whole.shape[1]));
  const size = whole.shape.slice(0, 2).map(n => Math.max(1, Math.round(n * ratio)));
  const { field } = applyOperations(whole, [{ resample: { size } }]);
  const [height, width] = size;
  const data = field.data.slice();
  const dot = (x: number, y: number, colour: Colour): void => {
    const [column, row] = [Math.floor(x), Math.floor(y)];
    if (column >= 0 && row >= 0 && column < width && row < height)
      data.set(colour, (row * width + column) * 3);
  };
  for (const { box, landmarks } of faces) {
    const [x, y, w, h] = box.map(v => v * ratio);
    const thickness = Math.max(width, height) > 200 ? 2 : 1;
    for (let t = 0; t < thickness; t++) {
      for (let i = 0; i < w; i++) for (const edge of [y + t, y + h - 1 - t]) dot(x + i, edge, boxColour);
      for (let i = 0; i < h; i++) for (const edge of [x + t, x + w - 1 - t]) dot(edge, y + i, boxColour);
    }
    // Large enough to be seen in a large face, small enough to be told apart in a small one.
    const reach = w > 120 ? 1 : 0;
    for (const [px, py] of landmarks)
      for (let v = -reach; v <= reach; v++)
        for (let u = -reach; u <= reach; u++) dot(px * ratio + u, py * ratio + v, pointColour);
  }
  return { ...field, data };
}
