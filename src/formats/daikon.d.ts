// The part of daikon that the DICOM reader uses; the package brings no types.

declare module 'daikon' {
  /** A DICOM element; the items of a sequence, and the elements of an item, are elements too. */
  export interface Tag {
    id: string;
    sublist: boolean;
    /** Numbers, texts, raw bytes or, in a sublist, elements. */
    value: unknown;
    /** Where the value lies in the file, as its length announces. */
    offsetValue: number;
    offsetEnd: number;
  }

  export interface Image {
    littleEndian: boolean;
    /** What a deflated file inflated to. */
    inflated?: ArrayBuffer;
    /** Elements of the top level by id. */
    tags: Record<string, Tag | undefined>;
    /** An element of the top level, else the first of that id in any sequence. */
    getTag(group: number, element: number): Tag | undefined;
    getPixelData(): Tag | undefined;
    /** Pixel data, decompressed and with a palette applied. */
    getPixelDataBytes(): ArrayBuffer;
    isCompressed(): boolean;
    isCompressedRLE(): boolean;
    isPalette(): boolean;
    getJpegs(): ArrayBuffer[];
    getRLE(): ArrayBuffer[];
  }

  interface Daikon {
    Series: { parseImage(data: DataView): Image | null; parserError: unknown };
    Tag: { createId(group: number, element: number): string };
  }

  const daikon: Daikon;
  export default daikon;
}
