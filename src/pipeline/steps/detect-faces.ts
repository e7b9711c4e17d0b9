// `detect-faces`: faces in photos and 68 points in each, by networks whose weights come with @vladmandic/face-api.

import { writeFile } from 'node:fs/promises';
import { replaceFile } from '../../embeddings/aside.ts';
import { NdconvError } from '../../errors.ts';
import {
  type DetectorName,
  detectDefaults,
  detectors,
  planFaceFinder,
  secondBorder,
} from '../../faces/detect.ts';
import { drawFaces } from '../../faces/draw.ts';
import type { Faces } from '../../faces/face.ts';
import { absences, choices, type FindOptions, finderKey, findFaces } from '../../faces/find.ts';
import { readFound, renderFound } from '../../faces/store.ts';
import type { Section } from '../../report/section.ts';
import type { Step } from '../step.ts';
import { countsOf, datasetOf, expectItems, type ItemParameters, inputSchema } from './items.ts';

interface Parameters extends ItemParameters, FindOptions {
  path?: string;
}

/** Milliseconds between two intermediate writes. */
const between = 60_000;
/** Photos that a report shows. */
const mostShown = 12;

export const detectFaces: Step<Parameters> = {
  name: 'detect-faces',
  summary: 'faces in photos, and 68 points in each',
  schema: {
    properties: {
      dataset: { reference: ['dataset'], description: 'the photos' },
      input: inputSchema,
      detector: {
        enum: Object.keys(detectors),
        default: detectDefaults.detector,
        description: 'face-detector finds more; face-detector-tiny is some eight times as fast',
      },
      score: {
        type: 'number',
        exclusiveMinimum: 0,
        exclusiveMaximum: 1,
        default: detectDefaults.score,
        description: 'how sure the detector has to be',
      },
      smallest: {
        type: 'number',
        minimum: 1,
        default: detectDefaults.smallest,
        description: 'least side of a face in pixels; smaller ones say little',
      },
      border: {
        type: 'number',
        minimum: 0,
        maximum: 2,
        description: `black border put around a photo before, as a part of its longer side: faces that fill a photo are found well only with one; where absent none, and then ${secondBorder} for a photo in which nothing is found for sure, and the better try counts`,
      },
      which: {
        enum: choices,
        default: 'largest',
        description:
          'of several faces in a photo: the largest, all, none (the photo is left out), or an error',
      },
      absent: {
        enum: absences,
        default: 'leave-out',
        description: 'a photo without a face: left out, taken whole as if it were one, or an error',
      },
      path: {
        path: 'write',
        description: 'a .json that keeps what was found; photos in it are not looked at again',
      },
    },
  },
  outputs: { value: 'faces' },
  effect: true,
  async check(context) {
    const { params: p, planOf, problem, forecast } = context;
    const { items, identities, labels } = countsOf(context);
    const unknown = { outputs: { value: { kind: 'faces' as const, items, identities, labels } } };
    if (!expectItems(context)) return unknown;
    const kind = p.dataset === undefined ? undefined : planOf(p.dataset).fieldKind;
    if (kind !== undefined && kind !== 'image')
      problem({
        at: ['dataset'],
        message: `holds fields of kind ${kind}; faces are looked for in photos (image)`,
      });
    if (p.path !== undefined && !/\.json$/i.test(p.path))
      problem({ at: ['path'], message: `${p.path} is to end in .json` });
    const { memory, seconds } = await planFaceFinder(p.detector as DetectorName, forecast);
    return {
      ...unknown,
      memory,
      ...(seconds === undefined || items === undefined ? {} : { seconds: seconds * items }),
      lines: [
        `${items ?? 'all'} photos by ${p.detector}: ${p.which}, from ${p.smallest} pixels, score ${p.score}`,
      ],
    };
  },
  async run(context) {
    const { params: p, note, progress, signal, outputPath, write, report } = context;
    const photos = datasetOf(context);
    const finder = await finderKey(p);
    const file = p.path === undefined ? undefined : outputPath(p.path);
    let written = Date.now();
    const { faces, records, reused, looked, several, whole } = await findFaces(photos, p, context.backend, {
      known: file === undefined ? new Map() : await readFound(file, finder),
      signal,
      onProgress: async (done, total, sofar) => {
        progress({ fraction: done / total, iteration: done, iterations: total });
        await new Promise(setImmediate);
        if (file === undefined || Date.now() - written < between) return;
        await replaceFile(file, renderFound(finder, sofar()));
        written = Date.now();
      },
    });
    if (p.path !== undefined && records.length > 0)
      await write(p.path, temporary => writeFile(temporary, renderFound(finder, records), { flush: true }));
    if (faces.found.length === 0) {
      if (signal.aborted) throw signal.reason;
      throw new NdconvError(
        'RunError',
        `no face in any of ${photos.items.length} photos; lower score (${p.score}), or take photos whole with absent: whole`,
        { photos: photos.items.length },
      );
    }
    const count = faces.found.reduce((sum, { faces: own }) => sum + own.length, 0);
    note(
      `${count} faces in ${faces.found.length} of ${photos.items.length} photos: ${looked} looked at${p.path === undefined ? '' : `, ${reused} known from ${p.path}`}`,
    );
    if (several > 0 && p.which === 'largest')
      note(`${several} photos show several faces; the largest of each is taken (which: all takes all)`);
    if (whole > 0) note(`${whole} photos without a face are taken whole`);
    report(await sectionOf(faces, photos.items.length));
    return { value: faces };
  },
};

async function sectionOf({ photos, found }: Faces, total: number): Promise<Section> {
  const shown = [];
  for (const { item, faces } of found.slice(0, mostShown)) {
    const photo = await photos.read(item);
    if (photo) shown.push({ label: `${item.name}: ${describe(faces)}`, field: drawFaces(photo, faces) });
  }
  const sides = found
    .flatMap(({ faces }) => faces.map(({ box }) => Math.min(box[2], box[3])))
    .sort((a, b) => a - b);
  return {
    title: 'Faces',
    blocks: [
      {
        type: 'table',
        columns: ['', ''],
        rows: [
          ['photos', total],
          ['photos with a face', found.length],
          ['faces', sides.length],
          [
            'side of a face in pixels',
            `${sides[0].toFixed(0)} to ${sides.at(-1)!.toFixed(0)}, median ${sides[sides.length >> 1].toFixed(0)}`,
          ],
        ],
      },
      { type: 'fields', items: shown },
    ],
  };
}

const describe = (faces: Faces['found'][number]['faces']): string =>
  faces.map(({ score }) => (score === 0 ? 'taken whole' : score.toFixed(2))).join(', ');
