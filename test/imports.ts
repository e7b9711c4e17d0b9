// The import-direction rule: data flows one way, so imports point one way. Each folder may import itself and what
// stands before it in the list; gpu.js is imported in the gpu.js backend alone.

import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

const allowed: Record<string, string[]> = {
  'src/cache-folder.ts': ['src/errors.ts'],
  'src/debug.ts': [],
  'src/errors.ts': [],
  'src/random.ts': ['src/errors.ts'],
  'src/version.ts': [],
  'src/tensor': ['src/errors.ts'],
  kernels: ['src/tensor', 'src/errors.ts'],
  'src/backends': ['src/tensor', 'kernels'],
  'src/graph': ['src/tensor', 'kernels', 'src/backends'],
  'src/ops': ['src/tensor', 'kernels', 'src/graph'],
  'src/optim': ['src/tensor', 'kernels', 'src/backends', 'src/graph', 'src/ops'],
  'src/formats': ['src/tensor'],
  'src/signal': ['src/formats', 'src/tensor'],
  'src/prepare': ['src/formats', 'src/signal', 'src/tensor'],
  'src/datasets': ['src/prepare', 'src/formats', 'src/signal', 'src/tensor'],
  'src/networks': ['src/tensor', 'kernels', 'src/backends', 'src/graph', 'src/ops', 'src/formats'],
  'src/style': [
    'src/tensor',
    'src/backends',
    'src/graph',
    'src/ops',
    'src/optim',
    'src/networks',
    'src/formats',
    'src/signal',
  ],
  'src/embeddings': [
    'src/tensor',
    'kernels',
    'src/backends',
    'src/graph',
    'src/ops',
    'src/networks',
    'src/formats',
    'src/prepare',
    'src/datasets',
  ],
  'src/faces': [
    'src/tensor',
    'src/backends',
    'src/graph',
    'src/ops',
    'src/networks',
    'src/formats',
    'src/prepare',
    'src/datasets',
    'src/embeddings',
  ],
  'src/verification': [
    'src/tensor',
    'src/backends',
    'src/graph',
    'src/ops',
    'src/optim',
    'src/formats',
    'src/datasets',
    'src/embeddings',
  ],
  'src/training': [
    'src/tensor',
    'kernels',
    'src/backends',
    'src/graph',
    'src/ops',
    'src/optim',
    'src/networks',
    'src/formats',
    'src/datasets',
    'src/embeddings',
    'src/verification',
  ],
  'src/units': [
    'kernels',
    'src/tensor',
    'src/backends',
    'src/graph',
    'src/ops',
    'src/optim',
    'src/networks',
    'src/formats',
    'src/signal',
    'src/prepare',
    'src/datasets',
  ],
  'src/report': ['src/formats', 'src/signal', 'src/tensor'],
  'src/pipeline': [
    'src/tensor',
    'src/backends',
    'src/graph',
    'src/ops',
    'src/networks',
    'src/style',
    'src/embeddings',
    'src/faces',
    'src/verification',
    'src/training',
    'src/units',
    'src/formats',
    'src/signal',
    'src/prepare',
    'src/datasets',
    'src/report',
    'src/optim',
  ],
  'src/cli': ['src/pipeline', 'src/networks', 'src/formats', 'src/backends', 'src/report'],
  'src/index.ts': [
    'src/tensor',
    'src/backends',
    'src/graph',
    'src/ops',
    'src/optim',
    'src/networks',
    'src/style',
    'src/embeddings',
    'src/faces',
    'src/verification',
    'src/training',
    'src/units',
    'src/formats',
    'src/signal',
    'src/prepare',
    'src/datasets',
    'src/pipeline',
    'src/report',
    'kernels',
  ],
};
const everywhere = [
  'src/cache-folder.ts',
  'src/debug.ts',
  'src/errors.ts',
  'src/random.ts',
  'src/version.ts',
];

const areaOf = (path: string) => Object.keys(allowed).find(a => path === a || path.startsWith(`${a}/`));
const problems: string[] = [];
for (const file of globSync(['src/**/*.ts', 'kernels/**/*.ts'])) {
  const area = areaOf(file);
  if (!area) {
    problems.push(`${file}: in no known area; add it to test/imports.ts`);
    continue;
  }
  for (const [, name] of readFileSync(file, 'utf8').matchAll(/(?:from |import\(|import )'([^']+)'/g)) {
    if (name === 'gpu.js' && !file.startsWith('src/backends/gpujs')) problems.push(`${file}: imports gpu.js`);
    if (!name.startsWith('.')) continue;
    const target = areaOf(normalize(join(dirname(file), name)));
    if (target && target !== area && !allowed[area].includes(target) && !everywhere.includes(target))
      problems.push(`${file}: ${area} may not import ${target}`);
  }
}
for (const p of problems) console.error(p);
if (problems.length > 0) process.exit(1);
