/**
 * Ids: a three-letter prefix that says what it names, and 128 bits as 26 characters of Crockford's base 32,
 * the first 48 of them the time, so that ids sort by age (the layout of a ULID, in lower case).
 */

import type { Instant } from './time.ts'

export const idPrefixes = {
  request: 'req',
  grant: 'grt',
  approval: 'apr',
  decision: 'dec',
  entry: 'ent',
  change: 'chg',
  finding: 'fnd',
  token: 'tok',
  session: 'ses',
  view: 'viw',
  login: 'lgn',
  passkey: 'pky',
  statement: 'stm',
  machineLogin: 'mlg',
  serviceSecret: 'svs',
  review: 'rev',
  message: 'msg',
} as const

export type IdKind = keyof typeof idPrefixes
export type Id<K extends IdKind> = `${(typeof idPrefixes)[K]}_${string}`

export type RequestId = Id<'request'>
export type GrantId = Id<'grant'>
export type ApprovalId = Id<'approval'>
export type DecisionId = Id<'decision'>
export type EntryId = Id<'entry'>
export type ChangeId = Id<'change'>
export type FindingId = Id<'finding'>
export type TokenId = Id<'token'>
export type SessionId = Id<'session'>
export type LoginId = Id<'login'>
export type StatementId = Id<'statement'>
export type MachineLoginId = Id<'machineLogin'>
export type ServiceSecretId = Id<'serviceSecret'>
export type ReviewId = Id<'review'>

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'

/** @param random ten bytes from a cryptographic source */
export function makeId<K extends IdKind>(kind: K, now: Instant, random: Uint8Array): Id<K> {
  if (random.length !== 10) throw new RangeError('an id takes ten random bytes')
  let bits = BigInt(now)
  for (const byte of random) bits = (bits << 8n) | BigInt(byte)
  let text = ''
  for (let i = 0; i < 26; i++) {
    text = alphabet[Number(bits & 31n)] + text
    bits >>= 5n
  }
  return `${idPrefixes[kind]}_${text}` as Id<K>
}

const body = /^[0-9a-hjkmnp-tv-z]{26}$/

export function isId<K extends IdKind>(kind: K, text: string): text is Id<K> {
  const prefix = `${idPrefixes[kind]}_`
  return text.startsWith(prefix) && body.test(text.slice(prefix.length))
}
