// A Field is what files hold and pipeline steps pass along: samples on a regular grid of any rank, channels last,
// together with what the numbers and the grid mean, so that a result can be written back as it came.
// The engine itself knows only tensors; this is the boundary.

/** What a field is to its user; decides default formats, previews and the style-transfer front end. */
export type FieldKind = 'sound' | 'signal' | 'image' | 'volume' | 'array';

/** One spatial dimension of a field: spacing between samples in `unit` ('s', 'mm', 'px' or ''). */
export interface Axis {
  name: string;
  spacing: number;
  unit: string;
}

/** A labelled moment of a field whose first axis is time: a heartbeat, a sleep stage, a remark. */
export interface Annotation {
  /** Where it lies along the first axis, from the first sample, in the axis' unit (s). */
  at: number;
  /** How long it lasts, in the same unit, where the file says so. */
  duration?: number;
  /** 'N', 'V' (a WFDB symbol), 'Sleep stage 2' (a text of an EDF+). */
  label: string;
  /** What the file says beside the label: '(AFIB'. */
  text?: string;
}

/** Samples of shape `[...spatial, channels]`, row-major, channels last. */
export interface Field {
  kind: FieldKind;
  /** `[...spatial, channels]`: `[time, channels]`, `[y, x, channels]`, `[z, y, x, channels]` … */
  shape: number[];
  /** Sound in [-1, 1]; images in [0, 1]; volumes in their own unit (a CT in Hounsfield units). */
  data: Float32Array;
  /** One per spatial dimension. A sound has `[{ name: 'time', spacing: 1 / sampleRate, unit: 's' }]`. */
  axes: Axis[];
  /** Where it came from, for messages and reports. */
  source: string;
  /** What the numbers are: 'HU', 'mV', ''. */
  valueUnit: string;
  /** The precision the file had, so that it can be written back with no less. */
  sampleType: 'int8' | 'uint8' | 'int16' | 'uint16' | 'int24' | 'int32' | 'uint32' | 'float32' | 'float64';
  /**
   * Volumes: world position in mm, RAS+ (x to the right, y to the front, z up, as NIfTI), of array index
   * `(a, b, c)` in array order: `origin + direction · (a, b, c)`; the rows of `direction` are x, y, z and its
   * columns follow the array's axes and contain the spacing.
   */
  affine?: { origin: [number, number, number]; direction: [number[], number[], number[]] };
  /** Names of the channels where the file gives them: ['I', 'II', 'V1']. */
  channelNames?: string[];
  /** Images: the embedded ICC profile, written back unchanged. */
  iccProfile?: Uint8Array;
  /** Signals: what somebody has marked in them, in order of time. What changes the time axis moves or drops them. */
  annotations?: Annotation[];
}

/** Spatial sizes of a field, without the channels. */
export const spatialOf = (field: Field): number[] => field.shape.slice(0, -1);

/** Number of channels of a field. */
export const channelsOf = (field: Field): number => field.shape[field.shape.length - 1];

/** Samples per second of a field whose first axis is time; NaN where it is not. */
export const sampleRateOf = (field: Field): number =>
  field.axes[0]?.unit === 's' ? 1 / field.axes[0].spacing : Number.NaN;

/** The sample nearest to an annotation. */
export const annotatedSample = (field: Pick<Field, 'axes'>, { at }: Annotation): number =>
  Math.round(at / field.axes[0].spacing);
