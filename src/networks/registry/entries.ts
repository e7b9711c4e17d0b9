// The networks that ndconv knows by name: where their weights come from, under which licence, and whom to cite. How they
// are put together stands in architectures.ts. A hash is given where the origin publishes one; where it does not, that of
// the first download is recorded and later ones are compared with it.

import { type KnownName, knownNetworks, type Preprocessing } from '../architectures.ts';

/** Where weights come from. */
export type Origin =
  /** A file to download. */
  | {
      readonly url: string;
      /** Name in the cache. */
      readonly file: string;
      /** SHA-256 in hexadecimal, or as many of its first digits as the origin publishes. */
      readonly sha256?: string;
      /** Of a safetensors file, the tensors that are needed; the others are not downloaded. */
      readonly tensors?: RegExp;
      /** Roughly how many bytes are downloaded. */
      readonly bytes: number;
    }
  /** A file within a package that ndconv depends on, `npm:package/path`. */
  | { readonly packaged: string };

/** A network by name. */
export interface NetworkEntry {
  readonly name: KnownName;
  readonly summary: string;
  readonly origin: Origin;
  /** Page that describes the weights. */
  readonly page: string;
  readonly licence: string;
  readonly citation: string;
  readonly rank: number;
  readonly channels: number;
  readonly preprocessing: Preprocessing;
}

/** A network whose weights come with @vladmandic/face-api, by the name of their manifest. */
const ofFaceApi = (name: string) => ({
  origin: { packaged: `npm:@vladmandic/face-api/model/${name}-weights_manifest.json` },
  page: 'https://github.com/vladmandic/face-api',
  licence: 'MIT',
});

const facts: Readonly<Record<KnownName, Pick<NetworkEntry, 'origin' | 'page' | 'licence' | 'citation'>>> = {
  'face-api': {
    ...ofFaceApi('face_recognition_model'),
    citation:
      'King, D. E. (2017). High quality face recognition with deep metric learning. http://blog.dlib.net/2017/02/high-quality-face-recognition-with-deep.html',
  },
  'face-detector': {
    ...ofFaceApi('ssd_mobilenetv1_model'),
    citation: 'Liu, W. et al. (2016). SSD: Single shot multibox detector. ECCV. arXiv:1512.02325',
  },
  'face-detector-tiny': {
    ...ofFaceApi('tiny_face_detector_model'),
    citation: 'Redmon, J. & Farhadi, A. (2017). YOLO9000: Better, faster, stronger. CVPR. arXiv:1612.08242',
  },
  'face-landmarks': {
    ...ofFaceApi('face_landmark_68_model'),
    citation:
      'Sagonas, C. et al. (2013). 300 Faces in-the-Wild challenge: The first facial landmark localization challenge. ICCVW',
  },
  vgg19: {
    origin: {
      url: 'https://huggingface.co/timm/vgg19.tv_in1k/resolve/main/model.safetensors',
      file: 'model.safetensors',
      tensors: /^features\./,
      bytes: 80_100_000,
    },
    page: 'https://huggingface.co/timm/vgg19.tv_in1k',
    licence: 'BSD-3-Clause',
    citation:
      'Simonyan, K. & Zisserman, A. (2015). Very deep convolutional networks for large-scale image recognition. ICLR. arXiv:1409.1556',
  },
  vgg16: {
    origin: {
      url: 'https://huggingface.co/timm/vgg16.tv_in1k/resolve/main/model.safetensors',
      file: 'model.safetensors',
      tensors: /^features\./,
      bytes: 58_900_000,
    },
    page: 'https://huggingface.co/timm/vgg16.tv_in1k',
    licence: 'BSD-3-Clause',
    citation:
      'Simonyan, K. & Zisserman, A. (2015). Very deep convolutional networks for large-scale image recognition. ICLR. arXiv:1409.1556',
  },
  squeezenet1_1: {
    // The file's name ends in the first digits of its hash, by the convention of torch.hub.
    origin: {
      url: 'https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth',
      file: 'squeezenet1_1-b8a52dc0.pth',
      sha256: 'b8a52dc0',
      bytes: 5_000_000,
    },
    page: 'https://pytorch.org/vision/stable/models/squeezenet.html',
    licence: 'BSD-3-Clause',
    citation:
      'Iandola, F. N. et al. (2016). SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB model size. arXiv:1602.07360',
  },
};

/** The networks with weights, by name. */
export const entries: ReadonlyMap<string, NetworkEntry> = new Map(
  (Object.keys(facts) as KnownName[]).sort().map(name => {
    const { summary, rank, channels, preprocessing } = knownNetworks[name];
    return [name, { name, summary, rank, channels, preprocessing, ...facts[name] }];
  }),
);
