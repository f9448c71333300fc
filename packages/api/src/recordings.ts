/**
 * What became of sessions: recordings read from afar, recordings deleted, and what roles gave that nobody used.
 *
 * Gateways dial out and are never dialled. So whoever reads a recording asks for a view; its gateway hears of that in
 * `syncGateway`, and sends the recording's own bytes, piece by piece, which any server hands on. What holds of them is
 * found by whoever reads: nothing in between has to be trusted with that.
 */

import { z } from 'zod'
import { gatewayLimits as limits } from './gateway-limits.ts'
import type { Operation } from './operations.ts'
import { head, session } from './gateway.ts'
import * as s from './schemas.ts'

const count = z.number().int().min(0)

/** One after the other they are what the gateway has on disk, as docs/reference/recording.md says. */
export const recordingPiece = z.discriminatedUnion('what', [
  z.strictObject({
    what: z.literal('bytes'),
    /** The segment that they go on with. */
    segment: z.number().int().min(1).max(999_999),
    bytes: z.base64().max(Math.ceil(limits.pieceBytes / 3) * 4),
  }),
  /** The recording was deleted: what is left of it. */
  z.strictObject({ what: z.literal('tombstone'), text: z.string().max(limits.tombstoneLength) }),
  z.strictObject({
    what: z.literal('over'),
    /**
     * `all`: to where it stands, or to the session's end where that was asked for. `nothing`: the gateway has no such
     * recording. `unreadable`: it has, and cannot read it. `cut-off`: it began anew, or was put out, in the middle.
     */
    why: z.enum(['all', 'deleted', 'nothing', 'unreadable', 'cut-off']),
  }),
])

const view = z.object({
  view: z.string(),
  session,
  /** The latest that the log has of it: the recording must have that in it. Absent: nothing was anchored yet. */
  head: head.optional(),
})

const roleUsage = z.object({
  role: z.string(),
  /** Grants that were open in that time, and their sessions that have ended. */
  grants: count,
  sessions: count,
  /** Sessions that say what they used. Only behind a guard do they; of the others nothing is known. */
  counted: count,
  withoutData: count,
  /** Of those counted, some used more than there was room to tell: what is `unused` may have been used in them. */
  incomplete: count,
  /** Absent: nothing was counted, or this kind of resource does not say what its roles give. */
  used: z.record(z.string(), z.array(z.string())).optional(),
  comparison: z
    .object({
      /** Given in that time and used by no session that was counted: privileges by `schema.table`, or by `schema.*`. */
      unused: z.record(z.string(), z.array(z.string())),
      /** For each `schema.*` that was given: the tables that were used. */
      narrower: z.record(z.string(), z.array(z.string())),
      /** Used by a name that nothing that was given explains. */
      elsewhere: z.array(z.string()),
    })
    .optional(),
})

export const recordingOperations = {
  viewRecording: {
    method: 'POST',
    path: '/v1/sessions/{id}/views',
    auth: 'person',
    summary:
      'Ask to see a recording (auditors and owners of the resource). Written into the log before anything is shown',
    input: z.strictObject({
      id: s.idText,
      reason: s.reasonText,
      /** `true`: go on with what comes, until the session ends. */
      follow: z.boolean().default(false),
    }),
    output: view,
    errors: ['not-found', 'forbidden', 'recording-away', 'too-many-views'],
  },
  readRecording: {
    method: 'POST',
    path: '/v1/views/{id}/read',
    auth: 'person',
    summary:
      'The next pieces of a recording that one asked to see: answered as soon as there are some, or empty at the end of the wait. Whoever does not ask for a minute has gone away',
    input: z.strictObject({
      id: s.idText,
      /** The last piece that one has: up to there they are thrown away. */
      after: count,
      waitMs: z.number().int().min(0).max(limits.viewWaitMs),
    }),
    output: z.object({ pieces: z.array(z.object({ number: count, piece: recordingPiece })) }),
    errors: ['not-found', 'forbidden'],
  },
  closeView: {
    method: 'POST',
    path: '/v1/views/{id}/close',
    auth: 'person',
    summary: 'Say that one has seen enough of a recording',
    input: z.strictObject({ id: s.idText }),
    output: z.object({}),
    errors: [],
  },
  sendRecording: {
    method: 'POST',
    path: '/v1/gateway/views/{id}',
    auth: 'gateway',
    summary: 'A piece of a recording that someone asked to see',
    input: z.strictObject({
      id: s.idText,
      /** The same for all pieces of one telling: a gateway that began anew is not taken for one that goes on. */
      sender: z.string().regex(/^[A-Za-z0-9_-]{8,32}$/, { error: 'Write 8 to 32 letters, digits, _ or -.' }),
      /** From 1, without gaps. One that was sent before is taken for sent. */
      number: z.number().int().min(1).max(1_000_000_000),
      piece: recordingPiece,
      /** How long to wait for room, where the one who reads is slow. */
      waitMs: z.number().int().min(0).max(limits.viewWaitMs),
    }),
    output: z.object({
      /** `full`: there was no room; the same piece again. `closed`: nobody looks any more. */
      outcome: z.enum(['taken', 'full', 'closed']),
    }),
    errors: [],
  },
  forgetRecording: {
    method: 'POST',
    path: '/v1/sessions/{id}/recording/forget',
    auth: 'person',
    summary:
      'Have the recording of a session that is over deleted (administrators): it is in the log before it is done, and a tombstone stays',
    input: z.strictObject({ id: s.idText, reason: s.reasonText }),
    output: session,
    errors: ['not-found', 'forbidden', 'session-open'],
  },
  roleUsage: {
    method: 'GET',
    path: '/v1/usage',
    auth: 'person',
    summary:
      'What roles gave and what of it was used (auditors: all; others: roles on resources that their groups own)',
    input: z.strictObject({
      role: s.roleText.optional(),
      resource: s.idText.optional(),
      days: z.coerce.number().int().min(1).max(limits.usageDaysMax).default(limits.usageDays),
    }),
    output: z.object({ since: s.instant, items: z.array(roleUsage) }),
    errors: ['not-found'],
  },
} as const satisfies Record<string, Operation>
