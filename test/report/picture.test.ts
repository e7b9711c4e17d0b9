import sharp from 'sharp';
import test from 'tape';
import { createRandom } from '../../src/random.ts';
import { embedPicture, imagePicture } from '../../src/report/picture.ts';
import { bytesOf, makeField, pixelsOf } from './sample-fields.ts';

test('pixels come back from the embedded PNG as they were, for 1 to 4 channels', async t => {
  for (const channels of [1, 2, 3, 4] as const) {
    const pixels = Uint8Array.from({ length: 7 * 5 * channels }, (_, i) => (i * 37) % 256);
    const { uri, width, height } = await embedPicture({ width: 7, height: 5, channels, pixels }, 1e6);
    const back = await pixelsOf(uri);
    t.deepEqual([width, height, back.width, back.height, back.channels], [7, 5, 7, 5, channels]);
    t.deepEqual([...back.data], [...pixels], `${channels} channels`);
  }
});

test('a picture is reduced to the side and the bytes allowed, keeping its shape and its mean', async t => {
  const random = createRandom(3, 'picture test');
  const [width, height] = [1500, 750];
  const pixels = Uint8Array.from(
    { length: width * height * 3 },
    (_, i) => (i % 3) * 60 + 64 * random.uniform(),
  );
  const picture = { width, height, channels: 3 as const, pixels };
  const wide = await embedPicture(picture, 1e9);
  t.deepEqual([wide.width, wide.height], [1024, 512]);
  const small = await embedPicture(picture, 100_000);
  t.ok(small.uri.length <= 100_000, `${small.uri.length} bytes`);
  t.ok(small.uri.length > 40_000, 'the room is used');
  t.ok(Math.abs(small.width / small.height - 2) < 0.03);
  const back = await pixelsOf(small.uri);
  for (let channel = 0; channel < 3; channel++) {
    let sum = 0;
    for (let i = channel; i < back.data.length; i += 3) sum += back.data[i];
    t.ok(Math.abs(sum / (back.data.length / 3) - (channel * 60 + 31.5)) < 1, `mean of channel ${channel}`);
  }
});

test('an image of 1×1, of 16 bits, and with values that cannot be shown', async t => {
  const one = imagePicture(makeField('image', [1, 1, 1], () => 0.5));
  t.deepEqual([...(await pixelsOf((await embedPicture(one, 1e6)).uri)).data], [128]);
  const values = [0, 1 / 65535, 0.5 / 255 + 1e-6, 65535 / 65535, -0.5, 2, Number.NaN, 1.0005];
  const deep = imagePicture(makeField('image', [2, 4, 1], i => values[i], { sampleType: 'uint16' }));
  t.deepEqual([...deep.pixels], [0, 0, 1, 255, 0, 255, 0, 255]);
  t.equal(deep.outside, 2, 'values beyond rounding are counted');
  t.equal(deep.notFinite, 1);
  t.end();
});

test('a colour profile goes along where it fits, byte for byte', async t => {
  const source = await sharp({ create: { width: 8, height: 8, channels: 3, background: '#c33' } })
    .withIccProfile('p3')
    .png()
    .toBuffer();
  const profile = (await sharp(source).metadata()).icc!;
  const pixels = new Uint8Array(8 * 8 * 3).fill(90);
  const rgb = await embedPicture({ width: 8, height: 8, channels: 3, pixels }, 1e6, profile);
  const meta = await sharp(bytesOf(rgb.uri)).metadata();
  t.ok(meta.icc && Buffer.compare(meta.icc, profile) === 0, 'RGB profile in an RGB picture');
  const grey = await embedPicture(
    { width: 8, height: 8, channels: 1, pixels: pixels.subarray(0, 64) },
    1e6,
    profile,
  );
  t.equal((await sharp(bytesOf(grey.uri)).metadata()).icc, undefined, 'no RGB profile in a grey picture');
});
