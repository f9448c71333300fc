/** What a workload was given for one run is that run's alone, and ends with it. */

import { ApiError } from '@tidegate/api'
import type { AccessRequest, Instant } from '@tidegate/core'
import type { Caller } from '../identity/identity.ts'
import { runsAlive } from '../identity/machines/machine-logins.ts'
import type { Unit } from '../store/change.ts'
import type { Reader } from '../store/database.ts'
import type { StoredGrant } from '../store/grants.ts'
import { endGrants } from './end-grants.ts'

/** @throws {ApiError} `forbidden` for the same service in another run, or in none */
export function checkRun(request: AccessRequest | undefined, { authentication }: Caller): void {
  const run = request?.authentication?.run
  if (run === undefined || run === authentication.run) return
  throw new ApiError('forbidden', { detail: 'It was asked for by another run, and is for that alone.' })
}

const runOf = ({ authentication }: StoredGrant): string | undefined => authentication?.run

/** The ids of those whose run is over: nobody of it is believed any more. */
export async function runsOver(
  reader: Reader,
  { grants, now }: { readonly grants: readonly StoredGrant[]; readonly now: Instant },
): Promise<ReadonlySet<string>> {
  const runs = [...new Set(grants.flatMap((grant) => runOf(grant) ?? []))]
  const alive = await runsAlive(reader, runs, now)
  return new Set(grants.filter((grant) => !alive.has(runOf(grant) ?? '') && runOf(grant)).map(({ id }) => id))
}

type Run = { readonly run: string; readonly principals: readonly string[]; readonly by: string }

/** Those that its requests were approved for, whether or not they were opened. @returns how many */
export async function endGrantsOfRun(unit: Unit, { run, principals, by }: Run): Promise<number> {
  const end = { reason: 'task-ended', by, note: 'Its run is over.' } as const
  return (await endGrants(unit, { principals, run }, end)).length
}
