import type { Millis } from '@tidegate/core'
import type { Runtime } from '../runtime.ts'
import { reconcilerLimits } from './limits.ts'

type Bounds = { readonly firstRetryMs: number; readonly slowestRetryMs: number }

/** Exponential with full jitter over its upper half, and no last attempt. @param failures so far, from 1 */
export function backoff(failures: number, random: Runtime['random'], bounds: Bounds = reconcilerLimits): Millis {
  const { firstRetryMs, slowestRetryMs } = bounds
  const longest = Math.min(slowestRetryMs, firstRetryMs * 2 ** Math.min(failures - 1, 30))
  const [byte = 0] = random(1)
  return Math.round(longest / 2 + (longest / 2) * (byte / 255)) as Millis
}
