/**
 * How often strangers may call: so often from one address, and so often together. Whoever floods from one address is
 * refused before what all share is touched, and whoever was right lately does not wait behind a crowd that is not.
 */

import { isIPv6 } from 'node:net'

/** So many at once, and one more after every so many milliseconds. */
export type Allowance = { readonly burst: number; readonly everyMs: number }

export type ThrottleLimits = {
  readonly perAddress: Allowance
  readonly together: Allowance
  /** Addresses that are remembered. Beyond it the one that was heard of longest ago is forgotten. */
  readonly addresses: number
}

export type Throttle = {
  /** `undefined`: it may. Otherwise how long to wait before the next try. */
  readonly take: (address: string) => number | undefined
  /** What it called for was right: for as long as it is remembered it has its own allowance and no need of the shared. */
  readonly trust: (address: string) => void
}

type Bucket = { level: number; atMs: number }

type Config = { readonly limits: ThrottleLimits; readonly elapsedMs?: () => number }

export function createThrottle({ limits, elapsedMs = () => performance.now() }: Config): Throttle {
  const { perAddress, together, addresses } = limits
  const shared = full(together, elapsedMs())
  const strangers = createRecent<Bucket>(addresses)
  /** By themselves, so that no crowd of strangers makes them forgotten. */
  const trusted = createRecent<Bucket>(addresses)

  return {
    take(address) {
      const nowMs = elapsedMs()
      const name = neighbourhood(address)
      const known = trusted.get(name)
      const own = known ?? strangers.get(name) ?? full(perAddress, nowMs)
      if (!known) strangers.put(name, own)
      const waitMs = waitFor(own, perAddress, nowMs) ?? (known ? undefined : waitFor(shared, together, nowMs))
      if (waitMs !== undefined) return waitMs
      own.level -= 1
      if (!known) shared.level -= 1
      return undefined
    },
    trust(address) {
      const name = neighbourhood(address)
      trusted.put(name, trusted.get(name) ?? strangers.get(name) ?? full(perAddress, elapsedMs()))
    },
  }
}

export type AllowanceLimits = {
  readonly each: Allowance
  /** Names that are remembered. Beyond it the one that was heard of longest ago is forgotten. */
  readonly names: number
}

/** For what is counted only once it is known what it came to. */
export type Allowances = {
  /** `undefined`: it may. Otherwise how long to wait before the next try. */
  readonly wait: (name: string) => number | undefined
  /** Many at once may go below what there is; they wait the longer. */
  readonly spend: (name: string) => void
}

type AllowanceConfig = { readonly limits: AllowanceLimits; readonly elapsedMs?: () => number }

export function createAllowances({
  limits: { each, names },
  elapsedMs = () => performance.now(),
}: AllowanceConfig): Allowances {
  const spenders = createRecent<Bucket>(names)
  return {
    wait(name) {
      const own = spenders.get(name)
      return own && waitFor(own, each, elapsedMs())
    },
    spend(name) {
      const nowMs = elapsedMs()
      const own = spenders.get(name) ?? full(each, nowMs)
      waitFor(own, each, nowMs)
      own.level -= 1
      spenders.put(name, own)
    },
  }
}

/** The last so many that were looked up or put. */
function createRecent<T>(most: number) {
  const all = new Map<string, T>()
  const put = (name: string, one: T): void => {
    all.delete(name)
    all.set(name, one)
    const [oldest] = all.keys()
    if (all.size > most && oldest !== undefined) all.delete(oldest)
  }
  return {
    put,
    get(name: string): T | undefined {
      const found = all.get(name)
      if (found !== undefined) put(name, found)
      return found
    },
  }
}

const full = ({ burst }: Allowance, atMs: number): Bucket => ({ level: burst, atMs })

/** Fills it as far as time has gone. `undefined`: there is one to take. */
function waitFor(bucket: Bucket, { burst, everyMs }: Allowance, nowMs: number): number | undefined {
  bucket.level = Math.min(burst, bucket.level + (nowMs - bucket.atMs) / everyMs)
  bucket.atMs = nowMs
  return bucket.level >= 1 ? undefined : Math.ceil((1 - bucket.level) * everyMs)
}

/** Whoever has one address of IPv6 has a network of them: the first 64 bits count. IPv4 in IPv6's clothes is IPv4. */
export function neighbourhood(address: string): string {
  const bare = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')
  if (!isIPv6(bare)) return bare
  const [head = '', tail] = bare.split('::')
  const first = head === '' ? [] : head.split(':')
  const last = tail === undefined || tail === '' ? [] : tail.split(':')
  const between = tail === undefined ? [] : Array<string>(Math.max(0, 8 - first.length - last.length)).fill('0')
  return [...first, ...between, ...last]
    .slice(0, 4)
    .map((part) => Number.parseInt(part, 16).toString(16))
    .join(':')
}
