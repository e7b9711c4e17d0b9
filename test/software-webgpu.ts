// WebGPU on machines without a graphics device: SwiftShader, the software Vulkan driver that comes with Chromium.

import { existsSync } from 'node:fs';

const drivers = [
  '/usr/lib/chromium/vk_swiftshader_icd.json',
  '/usr/lib64/chromium-browser/vk_swiftshader_icd.json',
  '/opt/google/chrome/vk_swiftshader_icd.json',
];
const devices = ['/dev/dri', '/dev/nvidia0', '/dev/dxg'];

/** Selects the software driver where there is no device and one is installed; to be called before WebGPU is set up. */
export function selectSoftwareWebGpu(): void {
  const driver = drivers.find(path => existsSync(path));
  // The Vulkan loader reads this for every new instance.
  if (driver && !devices.some(path => existsSync(path))) process.env.VK_DRIVER_FILES ??= driver;
}
