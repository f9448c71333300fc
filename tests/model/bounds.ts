/** How far it is explored. */

import type { Bounds } from './world.ts'

/** In every run of the tests. */
export const smallBounds: Bounds = {
  attempts: 2,
  extends: false,
  workers: 2,
  duration: 2,
  lessDuration: 1,
  activateBy: 2,
  provisioningTimeout: 1,
  // Activated at 1 at the latest, it ends at 3, which a target that is behind sees at 4.
  horizon: 4,
  serverLag: 0,
  targetOffsets: [-1, 0, 1],
}

/** For what needs the whole graph, and of it only what one server does with one activation. */
export const tinyBounds: Bounds = { ...smallBounds, attempts: 1, workers: 1, targetOffsets: [0] }

/** A target that agrees with the servers. */
export const agreedBounds: Bounds = { ...smallBounds, targetOffsets: [0] }

/** With an extension, in the middle of what one activation comes to: extended at 2 at the latest, it ends at 4. */
export const extendingBounds: Bounds = { ...agreedBounds, attempts: 1, extends: true, horizon: 5 }

/** Minutes, and a gigabyte: the small ones with one of them larger. */
export const deepBounds: Readonly<Record<string, Bounds>> = {
  'clocks of servers that disagree by a tick': { ...smallBounds, serverLag: 1, horizon: 5 },
  'three pieces of work at once': { ...agreedBounds, workers: 3 },
  'three activations': { ...agreedBounds, attempts: 3 },
  'longer grants': { ...agreedBounds, duration: 3, activateBy: 3, horizon: 6 },
}
