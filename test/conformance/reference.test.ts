// The properties of the suite on the reference backend (its cases are compared with themselves).

import { createReferenceBackend } from '../../src/backends/reference.ts';
import { conformance } from './conformance.ts';

conformance('reference', createReferenceBackend, { every: 8 });
