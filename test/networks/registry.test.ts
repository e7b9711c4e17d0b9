// Networks by name against a server on this machine: with ranges and without, one that breaks off, one that serves
// something else. Nothing else is reached.

import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import test from 'tape';
import { cacheFolder } from '../../src/cache-folder.ts';
import { readSafetensors } from '../../src/formats/safetensors.ts';
import { entries, type NetworkEntry } from '../../src/networks/registry/entries.ts';
import {
  addNetwork,
  fetchNetwork,
  findNetwork,
  getNetwork,
  listNetworks,
  locateNetwork,
  openNetwork,
} from '../../src/networks/registry/index.ts';
import { createRandom } from '../../src/random.ts';
import { realData, temporaryFolder, testWith } from '../formats/support.ts';

const folder = temporaryFolder();
process.env.NDCONV_CACHE = join(folder, 'cache');

/** A safetensors file, tensors in the order given. */
function safetensorsOf(shapes: Record<string, number[]>, seed = 1): Buffer {
  const random = createRandom(seed, 'weights');
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  const parts: Buffer[] = [];
  let at = 0;
  for (const [name, shape] of Object.entries(shapes)) {
    const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal());
    header[name] = { dtype: 'F32', shape, data_offsets: [at, at + data.byteLength] };
    at += data.byteLength;
    parts.push(Buffer.from(data.buffer));
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, ...parts]);
}

/** The first two convolutions of VGG-19, with dense layers before, between and after them. */
const file = safetensorsOf({
  'classifier.0.weight': [300, 100],
  'features.0.weight': [64, 3, 3, 3],
  'features.0.bias': [64],
  'classifier.3.weight': [200, 100],
  'features.2.weight': [64, 64, 3, 3],
  'features.2.bias': [64],
  'classifier.6.weight': [100, 100],
});
const needed = 4 * (64 * 27 + 64 + 64 * 64 * 9 + 64);

/** How the server behaves. */
interface Manners {
  body?: Buffer;
  ranges?: boolean;
  etag?: string | null;
  /** Breaks the connection after so many bytes of a body, for this many answers. */
  breaks?: { after: number; times: number };
  status?: number;
}

interface Site {
  url: string;
  /** Ranges that were asked for, '' where none was, and bytes that were sent. */
  asked: string[];
  sent: number;
  manners: Manners;
  server: Server;
}

async function serve(manners: Manners): Promise<Site> {
  const site = { asked: [] as string[], sent: 0, manners } as unknown as Site;
  site.server = createServer((request, response) => {
    const { body = file, ranges = true, etag = '"v1"', breaks, status } = site.manners;
    site.asked.push(request.headers.range ?? '');
    if (status) return void response.writeHead(status).end('sorry');
    const current = request.headers['if-range'] === undefined || request.headers['if-range'] === etag;
    const asked = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const range = ranges && current ? asked : null;
    const from = range ? Number(range[1]) : 0;
    const to = range?.[2] ? Math.min(body.length, Number(range[2]) + 1) : body.length;
    const tag = etag === null ? {} : { etag };
    if (range && from >= body.length)
      return void response.writeHead(416, { 'content-range': `bytes */${body.length}` }).end();
    const part = body.subarray(from, to);
    response.writeHead(range ? 206 : 200, {
      'content-length': part.length,
      ...tag,
      ...(range ? { 'content-range': `bytes ${from}-${to - 1}/${body.length}` } : {}),
    });
    if (breaks && breaks.times > 0 && part.length > breaks.after) {
      breaks.times--;
      site.sent += breaks.after;
      response.write(part.subarray(0, breaks.after), () => setTimeout(() => response.destroy(), 20));
      return;
    }
    site.sent += part.length;
    response.end(part);
  });
  await new Promise<void>(resolve => site.server.listen(0, '127.0.0.1', resolve));
  site.url = `http://127.0.0.1:${(site.server.address() as AddressInfo).port}/weights`;
  return site;
}

/** The entry of VGG-19 with its weights at the site. */
const entryAt = (site: Site, more: { sha256?: string; tensors?: RegExp } = {}): NetworkEntry => ({
  ...entries.get('vgg19')!,
  origin: { url: site.url, file: 'weights.safetensors', bytes: file.length, ...more },
});

const cached = (): string[] => {
  const place = join(cacheFolder(), 'networks', 'vgg19');
  return existsSync(place) ? readdirSync(place).sort() : [];
};

/** A test with a server of its own and an empty cache. */
function served(name: string, manners: Manners, run: (t: test.Test, site: Site) => Promise<void>): void {
  test(`registry: ${name}`, async t => {
    rmSync(cacheFolder(), { recursive: true, force: true });
    const site = await serve(manners);
    try {
      await run(t, site);
    } finally {
      site.server.closeAllConnections();
      site.server.close();
    }
  });
}

async function failure(run: Promise<unknown>): Promise<string> {
  try {
    await run;
    return 'no error';
  } catch (error) {
    const { name, message } = error as Error;
    return `${name}: ${message}`;
  }
}

const tensors = /^features\./;
const hash = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

served('by ranges only what is needed comes', {}, async (t, site) => {
  const steps: number[] = [];
  const got = await fetchNetwork(entryAt(site, { tensors }), undefined, {
    onProgress: done => steps.push(done),
  });
  const found = await readSafetensors(got.path);
  const whole = await readSafetensors(file);
  t.deepEqual(
    [...found.keys()],
    [...whole.keys()].filter(name => tensors.test(name)),
  );
  for (const [name, tensor] of found) t.deepEqual(tensor, whole.get(name), name);
  // The header comes with the first 64 kB.
  t.ok(site.sent <= needed + 2 ** 16, `${site.sent} of ${file.length} bytes`);
  t.equal(site.asked.length, 3, site.asked.join(', '));
  t.ok(steps.length > 0 && steps.every((n, i) => i === 0 || n > steps[i - 1]), 'progress goes up');
  t.equal(got.record!.trust, 'first-use');
  t.equal(got.record!.sha256, hash(readFileSync(got.path)));
  t.deepEqual(cached(), ['record.json', 'weights.safetensors'], 'nothing incomplete is left');
  const network = await openNetwork('vgg19');
  t.deepEqual(
    network.layers.map(({ name }) => name),
    ['preprocess', 'conv1_1', 'relu1_1', 'conv1_2', 'relu1_2', 'pool1'],
  );
  t.notOk((await getNetwork('vgg19', { offline: true })).fresh, 'it is here');
});

served('without ranges the whole file comes', { ranges: false }, async (t, site) => {
  const got = await fetchNetwork(entryAt(site, { tensors }), undefined);
  t.ok(readFileSync(got.path).equals(file));
  t.ok(await openNetwork('vgg19'));
});

served('a whole file is checked by its hash', {}, async (t, site) => {
  const got = await fetchNetwork(entryAt(site, { sha256: hash(file) }), undefined);
  t.deepEqual([got.record!.trust, got.record!.sha256], ['given', hash(file)]);
  t.ok(await fetchNetwork(entryAt(site, { sha256: hash(file).slice(0, 8) }), undefined), 'or its beginning');
  t.match(
    await failure(fetchNetwork(entryAt(site, { sha256: 'deadbeef' }), undefined)),
    /NetworkError: http.*has the SHA-256 [0-9a-f]{64}, and one that begins with deadbeef is expected/,
  );
  t.ok(readFileSync(got.path).equals(file), 'the one that was there stays');
});

served('what broke off goes on where it was', { breaks: { after: 50_000, times: 2 } }, async (t, site) => {
  const got = await fetchNetwork(entryAt(site, { sha256: hash(file) }), undefined);
  t.ok(readFileSync(got.path).equals(file));
  t.equal(site.sent, file.length, 'nothing is sent twice');
  t.deepEqual(site.asked, ['', 'bytes=50000-', 'bytes=100000-']);
});

served('ranges that broke off go on', { breaks: { after: 66_000, times: 1 } }, async (t, site) => {
  const got = await fetchNetwork(entryAt(site, { tensors }), undefined);
  t.equal((await readSafetensors(got.path)).size, 4);
  t.ok(site.sent <= needed + 2 * 2 ** 16, `${site.sent} bytes`);
  t.equal(hash(readFileSync(got.path)), got.record!.sha256);
});

served('a later call goes on, unless the file is another one', {}, async (t, site) => {
  site.manners.breaks = { after: 40_000, times: 1 };
  const entry = entryAt(site);
  const broken = await failure(fetchNetwork(entry, undefined, { retries: 0 }));
  t.match(broken, /the connection broke off after 40 kB of 396 kB;/, broken);
  t.match(broken, /run it again to go on/);
  t.equal(cached().filter(name => name.endsWith('.part')).length, 1, 'what came is kept');
  t.ok(readFileSync((await fetchNetwork(entry, undefined, { retries: 0 })).path).equals(file));
  t.equal(site.sent, file.length);

  rmSync(cacheFolder(), { recursive: true });
  site.manners.breaks = { after: 40_000, times: 1 };
  await failure(fetchNetwork(entry, undefined, { retries: 0 }));
  const other = Buffer.concat([file.subarray(0, -4), Buffer.from([1, 2, 3, 4])]);
  Object.assign(site.manners, { body: other, etag: '"v2"' });
  t.ok(readFileSync((await fetchNetwork(entry, undefined, { retries: 0 })).path).equals(other), 'no mixture');
});

served('without a validator it starts anew', { etag: null }, async (t, site) => {
  site.manners.breaks = { after: 40_000, times: 1 };
  t.ok(readFileSync((await fetchNetwork(entryAt(site), undefined)).path).equals(file));
  t.deepEqual(site.asked, ['', '']);
});

served('a file that changes under way is taken as it is then', {}, async (t, site) => {
  site.manners.breaks = { after: 66_000, times: 1 };
  const other = safetensorsOf({ 'features.0.weight': [64, 3, 3, 3], 'features.0.bias': [64] }, 2);
  const pending = fetchNetwork(entryAt(site, { tensors }), undefined);
  setTimeout(() => Object.assign(site.manners, { body: other, etag: '"v2"' }), 60);
  const found = await readSafetensors((await pending).path);
  t.deepEqual(found, await readSafetensors(other));
});

const page = Buffer.from('<!doctype html><title>Sign in to the network</title>');

served('a wrong file is refused and leaves nothing', { body: page }, async (t, site) => {
  for (const more of [{}, { tensors }]) {
    const found = await failure(fetchNetwork(entryAt(site, more), undefined, { retries: 0 }));
    t.match(
      found,
      /^NetworkError: http:.*(what came is not the file that is expected|no safetensors file)/,
      found,
    );
    t.deepEqual(cached(), []);
  }
  site.manners.ranges = false;
  t.match(await failure(fetchNetwork(entryAt(site, { tensors }), undefined)), /a proxy or a login page/);
  site.manners.body = safetensorsOf({ 'conv1.weight': [4, 3, 3, 3] });
  t.match(
    await failure(fetchNetwork(entryAt(site), undefined)),
    /no tensor 'features.0.weight'; it holds conv1.weight/,
  );
  site.manners.ranges = true;
  t.match(
    await failure(fetchNetwork(entryAt(site, { tensors }), undefined)),
    /no tensor there is named like/,
  );
  t.deepEqual(cached(), []);
});

served('another file than the first time is refused', {}, async (t, site) => {
  const first = await fetchNetwork(entryAt(site, { tensors }), undefined);
  rmSync(first.path);
  site.manners.body = safetensorsOf({ 'features.0.weight': [64, 3, 3, 3], 'features.0.bias': [64] }, 7);
  site.manners.etag = '"v2"';
  const { record } = (await findNetwork('vgg19'))!;
  t.match(
    await failure(fetchNetwork(entryAt(site, { tensors }), record)),
    new RegExp(`${first.record!.sha256} is expected`),
  );
});

served('answers of servers that have nothing', { status: 404 }, async (t, site) => {
  t.match(await failure(fetchNetwork(entryAt(site), undefined)), /the server answers 404 Not Found$/);
  t.equal(site.asked.length, 1, 'asking again would be no use');
  site.manners.status = 503;
  const found = await failure(fetchNetwork(entryAt(site), undefined, { retries: 1 }));
  t.match(found, /503 Service Unavailable; try again later$/);
  t.equal(site.asked.length, 3);
  site.server.close();
  site.server.closeAllConnections();
  t.match(
    await failure(fetchNetwork(entryAt(site), undefined, { retries: 0 })),
    /cannot be reached \(ECONNREFUSED\); check the connection/,
  );
});

test('registry: what is not here is said', async t => {
  rmSync(cacheFolder(), { recursive: true, force: true });
  t.deepEqual(
    (await listNetworks()).map(({ name, state }) => `${name} ${state}`),
    [
      'face-api packaged',
      'face-detector packaged',
      'face-detector-tiny packaged',
      'face-landmarks packaged',
      'squeezenet1_1 absent',
      'vgg16 absent',
      'vgg19 absent',
    ],
  );
  t.match(await failure(locateNetwork('vgg19')), /not here; download them with: ndconv network get vgg19$/);
  t.match(
    await failure(getNetwork('vgg19', { offline: true })),
    /--offline forbids .*network add FILE --as vgg19/,
  );
  t.match(await failure(locateNetwork('vgg18')), /no network 'vgg18'; there are face-api, .*squeezenet1_1/);
  t.match(await failure(getNetwork('../vgg')), /no network '..\/vgg'/);
  t.equal((await openNetwork('face-api')).layers.at(-1)!.name, 'descriptor');
  t.end();
});

test('registry: files of the user', async t => {
  rmSync(cacheFolder(), { recursive: true, force: true });
  const mine = join(folder, 'mine.safetensors');
  writeFileSync(mine, file);
  const added = await addNetwork(mine, { as: 'vgg19' });
  t.deepEqual([added.state, added.record!.source], ['downloaded', mine]);
  t.equal((await openNetwork('vgg19')).layers.length, 6);
  writeFileSync(added.path!, Buffer.concat([file, Buffer.from('x')]));
  t.match(await failure(getNetwork('vgg19')), /it was [0-9a-f]{64} when it came; it was changed or damaged/);
  t.match(await failure(addNetwork(mine)), /does not say how its layers are connected/);
  t.match(
    await failure(addNetwork(mine, { as: 'squeezenet1_1' })),
    /no tensor 'features.0.weight'|is \[64|no tensor/,
  );
  t.match(await failure(addNetwork(mine, { as: 'vgg' })), /no network 'vgg'/);
  t.match(await failure(addNetwork(mine, { as: 'face-api' })), /comes with ndconv/);
  t.match(await failure(addNetwork(mine, { name: 'vgg16' })), /vgg16 is a known network; .*--as vgg16/);
  t.match(await failure(addNetwork(mine, { name: 'a/b' })), /'a\/b' cannot be the name/);
  t.match(await failure(addNetwork(mine, { name: 'layers' })), /means something else in a pipeline/);
  t.match(await failure(addNetwork(join(folder, 'none.onnx'))), /none.onnx/);
  t.end();
});

testWith(
  'models/ecg_heartbeats/ecg_heartbeats.onnx',
  'registry: networks that describe themselves',
  async (t, path) => {
    rmSync(cacheFolder(), { recursive: true, force: true });
    const added = await addNetwork(path, { name: 'beats' });
    t.deepEqual([added.name, added.state], ['beats', 'added']);
    t.equal((await openNetwork('beats')).rank, 1);
    t.match(await failure(addNetwork(path, { name: 'beats' })), /there is a network beats already/);
    const crepe = await addNetwork(realData('models/crepe_tiny/model.json'), { name: 'crepe' });
    t.equal((await openNetwork('crepe')).name, 'crepe', `with the shards beside ${crepe.path}`);
    t.deepEqual(
      (await listNetworks()).slice(-2).map(({ name, state }) => `${name} ${state}`),
      ['beats added', 'crepe added'],
    );
  },
);

test('registry: the cache lies where the platform has it', t => {
  t.equal(cacheFolder({ NDCONV_CACHE: '/a/b' }, 'linux'), '/a/b');
  t.equal(cacheFolder({ XDG_CACHE_HOME: '/c' }, 'linux'), join('/c', 'ndconv'));
  t.match(cacheFolder({ XDG_CACHE_HOME: 'c' }, 'linux'), /\.cache.ndconv$/);
  t.match(cacheFolder({}, 'darwin'), /Library.Caches.ndconv$/);
  t.match(cacheFolder({ LOCALAPPDATA: '/l' }, 'win32'), /l.ndconv.Cache$/);
  t.throws(
    () => cacheFolder({ NDCONV_CACHE: 'b' }, 'linux'),
    /NDCONV_CACHE is 'b', which is no absolute path/,
  );
  t.end();
});
