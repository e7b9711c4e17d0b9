// `align-faces`: faces turned, moved and scaled to where a recognition network expects them, as a dataset.

import { type AlignOptions, alignDefaults } from '../../faces/align.ts';
import { alignedFaces } from '../../faces/aligned.ts';
import type { Faces } from '../../faces/face.ts';
import type { Field } from '../../formats/field.ts';
import type { Step } from '../step.ts';

interface Parameters extends AlignOptions {
  faces: string;
}

/** Faces that a report shows. */
const mostShown = 24;

export const alignFaces: Step<Parameters> = {
  name: 'align-faces',
  summary: 'faces turned, moved and scaled to where a recognition network expects them, as a dataset',
  schema: {
    required: ['faces'],
    properties: {
      faces: { reference: ['faces'], description: 'faces found by detect-faces' },
      method: {
        enum: ['landmarks', 'square'],
        default: alignDefaults.method,
        description:
          'landmarks: eyes, nose and mouth to their places in a mean face; square: the upright square around the landmarks',
      },
      size: { type: 'integer', minimum: 16, default: alignDefaults.size, description: 'side in pixels' },
      padding: {
        type: 'number',
        minimum: 0,
        maximum: 2,
        default: alignDefaults.padding,
        description: 'what is around the face, as a part of its size; face-api was trained with 0.25',
      },
      beyond: {
        enum: ['black', 'replicate'],
        default: alignDefaults.beyond,
        description: 'what lies beyond the edges of the photo: black, or its outermost pixels',
      },
    },
  },
  outputs: { value: 'dataset' },
  effect: true,
  check({ params: p, planOf }) {
    const { items, identities, labels } = planOf(p.faces) as Record<string, unknown>;
    const fieldShape = [p.size, p.size, 3];
    return {
      outputs: { value: { kind: 'dataset', items, identities, labels, fieldShape, fieldKind: 'image' } },
      lines: [`faces of ${p.size}×${p.size} by ${p.method}, padding ${p.padding}`],
    };
  },
  async run({ params: { faces: reference, ...options }, valueOf, report }) {
    const aligned = alignedFaces(valueOf<Faces>(reference), options);
    const shown: { label: string; field: Field }[] = [];
    for (const item of aligned.items.slice(0, mostShown)) {
      const field = await aligned.read(item);
      if (field) shown.push({ label: item.name, field });
    }
    report({ title: 'Aligned faces', blocks: [{ type: 'fields', items: shown }] });
    return { value: aligned };
  },
};
