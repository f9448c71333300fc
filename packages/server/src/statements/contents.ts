/** What a statement says: sealed while people have to read it, and committed to in the log for ever. */

import type { Commitment } from '@tidegate/audit'
import { commit } from '@tidegate/audit'
import type { ParsedInput } from '@tidegate/api'
import type { Runtime } from '../runtime.ts'
import type { MasterKey } from '../secrets/envelope.ts'
import { open, seal } from '../secrets/envelope.ts'

export type Contents = Pick<ParsedInput<'askStatement'>, 'text' | 'parameters'>

export type Kept = { readonly contents: Buffer; readonly salt: Buffer; readonly commitment: Commitment }

/** One statement's contents put in another's place do not open. */
export const contentsPurpose = (id: string): string => `statement:${id}`
export const saltPurpose = (id: string): string => `statement-salt:${id}`
const saltBytes = 16

type Keeping = { readonly id: string; readonly key: MasterKey; readonly random: Runtime['random'] }

export function keep({ text, parameters }: Contents, { id, key, random }: Keeping): Kept {
  const salt = random(saltBytes)
  const said = Buffer.from(JSON.stringify({ text, parameters }))
  return {
    contents: seal(said, { key, purpose: contentsPurpose(id), random }),
    salt: seal(salt, { key, purpose: saltPurpose(id), random }),
    commitment: commit({ text, parameters }, salt),
  }
}

type Sealed = { readonly id: string; readonly contents: Buffer; readonly key: MasterKey }

export const contentsOf = ({ id, contents, key }: Sealed): Contents =>
  JSON.parse(open(contents, { key, purpose: contentsPurpose(id) }).toString('utf8')) as Contents

/** In unpadded base64url. */
export const saltOf = ({ id, salt, key }: { id: string; salt: Buffer; key: MasterKey }): string =>
  open(salt, { key, purpose: saltPurpose(id) }).toString('base64url')
