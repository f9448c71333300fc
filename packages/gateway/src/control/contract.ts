/** What goes between a gateway and the control plane, by the names that are used here. */

import { gatewayShapes, operations, type Input, type Output } from '@tidegate/api'

/** What is signed, as both sides write it. */
export const { enrolmentText, signInText } = gatewayShapes

export type SyncAnswer = Output<'syncGateway'>
export type GrantFacts = SyncAnswer['grants'][number]
export type Release = Output<'releaseLogin'>
export type Address = Input<'enrolGateway'>['address']

export type StatementQuestion = Input<'askStatement'>
export type StatementAnswer = SyncAnswer['statements'][number]

export type SessionReport = Input<'reportSessions'>['reports'][number]
export type Opened = Extract<SessionReport, { what: 'opened' }>
export type Ended = Extract<SessionReport, { what: 'ended' }>
export type Forgotten = Extract<SessionReport, { what: 'forgotten' }>
export type ReportedHead = Extract<SessionReport, { what: 'recorded' }>['head']

/** An answer is read before it is believed: what another version says in another shape opens nothing. @throws */
export const readSync = (answer: unknown): SyncAnswer => operations.syncGateway.output.parse(answer)
export const readRelease = (answer: unknown): Release => operations.releaseLogin.output.parse(answer)
