/** The first record of each segment: whose recording this is. */

import { formatInstant, parseInstant } from '@tidegate/core'
import type { Instant } from '@tidegate/core'
import { parseObject } from './json.ts'
import type { RecordingPolicy } from '../policy.ts'

/** What is known of a session when it starts. */
export type SessionMeta = {
  readonly session: string
  readonly grant: string
  readonly principal: string
  readonly resource: string
  readonly role: string
  readonly gateway: string
  readonly started: Instant
}

export type RecordingHeader = SessionMeta & {
  readonly policy: RecordingPolicy
  readonly segment: number
}

const format = 'tidegate recording'
const texts = ['session', 'grant', 'principal', 'resource', 'role', 'gateway'] as const

export const encodeHeader = ({ policy, started, segment, ...names }: RecordingHeader): Buffer =>
  Buffer.from(
    JSON.stringify({
      format,
      version: 1,
      segment,
      ...Object.fromEntries(texts.map((name) => [name, names[name]])),
      started: formatInstant(started),
      policy: { text: policy.text, parameters: policy.parameters, rows: policy.rows },
    }),
  )

/** `undefined` for what is not a header of this version. */
export function decodeHeader(bytes: Buffer): RecordingHeader | undefined {
  const value = parseObject(bytes)
  if (value?.['format'] !== format || value['version'] !== 1 || typeof value['segment'] !== 'number') return undefined
  const started = typeof value['started'] === 'string' ? parseInstant(value['started']) : undefined
  const policy = parsePolicy(value['policy'])
  if (started === undefined || policy === undefined) return undefined
  if (!texts.every((name) => typeof value[name] === 'string')) return undefined
  const names = Object.fromEntries(texts.map((name) => [name, value[name]])) as Record<(typeof texts)[number], string>
  return { ...names, started, policy, segment: value['segment'] }
}

const hides = (value: unknown): value is 'keep' | 'commit' => value === 'keep' || value === 'commit'

function parsePolicy(value: unknown): RecordingPolicy | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { text, parameters, rows } = value as Readonly<Record<string, unknown>>
  if (!hides(text) || !hides(parameters) || !(rows === 'none' || hides(rows))) return undefined
  return { text, parameters, rows }
}
