/** What people and groups of a source have in common in the store. */

import type { Instant } from '@tidegate/core'
import type { Runtime } from '../../runtime.ts'
import { ScimError } from './errors.ts'

export type Row = {
  readonly id: string
  readonly source: string
  readonly externalId: string | null
  readonly version: number
  readonly createdAt: Instant
  readonly changedAt: Instant
}

/** One that is asked about. @property ifMatch the version that the caller has read, as it sent it */
export type Which = { readonly id: string; readonly ifMatch?: string | undefined }

/** Says nothing, and cannot be guessed. */
export const newResourceId = ({ random }: Runtime): string => Buffer.from(random(16)).toString('hex')

/** Weak: the same content, whatever bytes it is sent as. */
export const etagOf = ({ version }: Row): string => `W/"${version}"`

/** @throws {ScimError} 412 where it has changed since the caller read it */
export function checkVersion(row: Row, ifMatch: string | undefined): void {
  if (ifMatch === undefined || isMatched(row, ifMatch)) return
  const detail = `It is at version ${etagOf(row)} now. Read it again.`
  throw new ScimError({ status: 412, detail })
}

/** By number, however strongly the caller wrote it. */
export const isMatched = (row: Row, header: string): boolean =>
  header.split(',').some((one) => one.trim() === '*' || one.trim().replace(/^W\//, '') === `"${row.version}"`)
