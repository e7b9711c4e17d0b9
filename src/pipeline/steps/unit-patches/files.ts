// The files of `unit-patches`: every patch and view by itself in the format of its kind, and units.json with coordinates
// and numbers. Views of images and sounds are scaled into the range of their files; the scale is in units.json.

import { writeFile } from 'node:fs/promises';
import type { Field } from '../../../formats/field.ts';
import { writeField } from '../../../formats/index.ts';
import type { UnitPatch } from '../../../units/patches.ts';
import type { RunContext } from '../../step.ts';
import type { LayerResult } from './report.ts';

/** What units.json says of a patch. */
interface PatchRecord {
  value: number;
  item: string;
  label: string;
  cell: readonly number[];
  /** Samples `[from, to)` per spatial dimension of the input, as the network got it. */
  from: readonly number[];
  to: readonly number[];
  cut: boolean;
  files: Record<string, string>;
  /** What 1 in the file stands for, where a view was scaled. */
  scales?: Record<string, number>;
}

const extensionOf = ({ kind, shape }: Field): string => {
  if (kind === 'image') return 'png';
  if (kind === 'sound') return 'wav';
  return kind === 'volume' && shape.length === 4 ? 'nii.gz' : 'npz';
};

/** A view in the range of its file: middle grey or silence is 0. */
function scaled(field: Field): { field: Field; scale?: number } {
  if (field.kind !== 'image' && field.kind !== 'sound') return { field: { ...field, sampleType: 'float32' } };
  let most = 0;
  for (const value of field.data) most = Math.max(most, Math.abs(value));
  const scale = most || 1;
  const data =
    field.kind === 'image'
      ? field.data.map(value => 0.5 + value / (2 * scale))
      : field.data.map(value => value / scale);
  return {
    field: { ...field, data, iccProfile: undefined },
    scale: field.kind === 'image' ? 2 * scale : scale,
  };
}

/** Names of layers as folders. */
const folderOf = (layer: string): string => layer.replace(/[^\w.-]+/g, '_');

/** Writes patches as they come, and units.json at the end. */
export function createUnitFiles(
  { write, note }: Pick<RunContext<unknown>, 'write' | 'note'>,
  folder: string,
) {
  const records = new Map<string, PatchRecord[]>();
  const save = (field: Field, path: string) =>
    write(path, async temporary => {
      await writeField({ ...field, annotations: undefined }, temporary, {
        target: path,
        allowNaN: true,
        note,
      });
    });
  return {
    async add({ layer, unit, rank, hit, item, at, inside, cut, patch, views }: UnitPatch): Promise<void> {
      const base = `${folderOf(layer)}/${unit}/${rank + 1}`;
      const extension = extensionOf(patch);
      const files: Record<string, string> = { input: `${base}.${extension}` };
      const scales: Record<string, number> = {};
      await save(patch, `${folder}/${files.input}`);
      for (const [name, view] of views) {
        files[name] = `${base}-${name}.${extension}`;
        const { field, scale } = scaled(view);
        if (scale !== undefined) scales[name] = scale;
        await save(field, `${folder}/${files[name]}`);
      }
      const key = `${layer} ${unit}`;
      let own = records.get(key);
      if (!own) records.set(key, (own = []));
      own[rank] = {
        value: hit.value,
        item: item.name,
        label: item.label,
        cell: at,
        from: inside.from,
        to: inside.to,
        cut,
        files,
        ...(Object.keys(scales).length > 0 ? { scales } : {}),
      };
    },
    async end(network: string, inputs: number, layers: readonly LayerResult[]): Promise<void> {
      const record = {
        network,
        inputs,
        layers: layers.map(({ layer, numbers, chosen }) => ({
          layer,
          dead: numbers.filter(({ dead }) => dead).map(({ unit }) => unit),
          units: numbers.map(({ histogram, responses, ...rest }) =>
            chosen.includes(rest.unit)
              ? { ...rest, histogram, responses, patches: records.get(`${layer} ${rest.unit}`) ?? [] }
              : rest,
          ),
        })),
      };
      await write(`${folder}/units.json`, temporary =>
        writeFile(temporary, `${JSON.stringify(record, null, 1)}\n`),
      );
    },
  };
}
