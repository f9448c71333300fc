/** `@tidegate/gateway`: stands in between a client and a target for the life of a session. */

export type { Guard, Ruling, Use } from './guard/ruling.ts'
export type { Parameter, SessionEvent, SessionRecorder } from './recording/event.ts'
