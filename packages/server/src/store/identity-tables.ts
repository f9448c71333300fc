/** Tables of who is asking: what the migrations from `003_command_line.sql` on make. */

import type { MaybeJson, MaybeTime, Time } from './columns.ts'

export type IdentityTables = {
  authorizationCode: {
    hash: Buffer
    redirectUri: string
    challenge: string
    keyThumbprint: string | null
    allowedBy: string
    endsAt: Time
    spentAt: MaybeTime
    login: string | null
  }
  deviceAuthorization: {
    hash: Buffer
    userCode: string
    keyThumbprint: string | null
    demand: MaybeJson
    clientAddress: string
    clientAgent: string | null
    askedAt: Time
    endsAt: Time
    intervalSeconds: number
    polledAt: MaybeTime
    status: 'pending' | 'allowed' | 'refused' | 'spent'
    allowedBy: string | null
    login: string | null
  }
  accessToken: {
    hash: Buffer
    principal: string
    login: string | null
    keyThumbprint: string | null
    issuedAt: Time
    endsAt: Time
  }
  passkey: {
    id: string
    userId: string
    credentialId: string
    publicKey: Buffer
    counter: number
    transports: string[]
    name: string
    synced: boolean
    createdAt: Time
    lastUsedAt: MaybeTime
  }
  totp: { userId: string; secret: Buffer; lastStep: number; createdAt: Time; lastUsedAt: Time }
  recoveryCode: { hash: Buffer; userId: string; usedAt: MaybeTime; usedBy: string | null; toldAt: MaybeTime }
  guess: { subject: Buffer; failures: number; lastAt: Time }
  localAccount: { userId: string; password: string | null; joinedAt: Time }
  refusal: {
    hash: Buffer
    type: string
    source: string
    cause: string | null
    subject: string | null
    address: string | null
    since: Time
    lastAt: Time
    times: number
  }
  formerUser: { id: string; source: string; externalId: string; removedAt: Time }
  factorReset: { userId: string; resetAt: Time; resetBy: string }
  invitation: { hash: Buffer; userId: string; createdAt: Time; endsAt: Time; printed: boolean }
  breakGlassReview: {
    id: string
    grantId: string
    person: string
    resource: string
    role: string
    reason: string
    usedAt: Time
    dueAt: Time
    closedAt: MaybeTime
    closedBy: string | null
    comment: string | null
  }
}
