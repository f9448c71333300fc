import { vi } from 'vitest'

/**
 * For what comes by itself, in another process or in the background: looked for until `look` does not throw. Only what
 * never comes takes the whole time, so it may be long: machines differ.
 */
export const eventually = <T>(look: () => T | Promise<T>): Promise<T> =>
  vi.waitFor(look, { timeout: 60_000, interval: 20 })
