/** Tables of services and agents: 005_services.sql. */

import type { Authentication } from '@tidegate/core'
import type { JSONColumnType } from 'kysely'
import type { Proof } from '../identity/machines/proof.ts'
import type { MaybeTime, Time } from './columns.ts'

export type MachineTables = {
  machineLogin: {
    id: string
    principal: string
    proof: JSONColumnType<Proof>
    authentication: JSONColumnType<Authentication>
    run: string | null
    tokenHash: Buffer
    keyThumbprint: string | null
    clientAddress: string | null
    startedAt: Time
    endsAt: Time
    endedAt: MaybeTime
    endReason: string | null
  }
  serviceSecret: {
    id: string
    service: string
    hash: Buffer
    madeAt: Time
    madeBy: string
    expiresAt: Time
    lastUsedAt: MaybeTime
    revokedAt: MaybeTime
  }
  killedAgent: { agent: string; killedAt: Time; killedBy: string; reason: string }
}
