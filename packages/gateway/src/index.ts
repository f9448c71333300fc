/** `@tidegate/gateway`: stands in between a client and a target for the life of a session. */

export { startGateway } from './control/gateway.ts'
export type { RunningGateway } from './control/one-process.ts'
export { openDoor } from './control/workers/door.ts'
export { GatewayRefusal } from './control/refusal.ts'
export type { GatewayOptions } from './control/settings.ts'
export { type CapCounter, type Caps, createCapCounter } from './guard/caps.ts'
export { createGuards, type Guards } from './guard/guard.ts'
export { startupParameters } from './guard/parameters.ts'
export { approversIn, type GuardRules, readRules, type ReadRules, readRulesText } from './guard/rules.ts'
export type { Guard, Refusal, Ruling, Use } from './guard/ruling.ts'
export type { Share } from './share.ts'
export { createUsage, type Usage } from './guard/usage.ts'
export { createMask, type Mask } from './mask/mask.ts'
export { type MaskRules, readMask, type ReadMask } from './mask/rules.ts'
export type { Parameter, SessionEvent, SessionRecorder } from './recording/event.ts'
export { type ArrivingItem, type ArrivingPiece, readArriving } from './recording/read/arriving.ts'
export { eventForm, exportRecording, type ExportOptions, lineOf } from './recording/export.ts'
export { forgetRecording, type ForgetOptions, type ForgetOutcome } from './recording/forget.ts'
export { emptyHead, type Head } from './recording/format/head.ts'
export type { RecordingHeader, SessionMeta } from './recording/format/header.ts'
export { isSessionId, recordingFolder } from './recording/format/place.ts'
export { recorderLimits, type RecorderLimits } from './recording/limits.ts'
export { type ListedRecording, listRecordings, type ListOptions } from './recording/list.ts'
export type { Committed, RecordedText, RecordedValue, RecordingPolicy } from './recording/policy.ts'
export type { TooLong } from './recording/read/events.ts'
export {
  followRecording,
  type FollowOptions,
  isRecordingError,
  readHeader,
  readRecording,
  type ReadRecordingOptions,
  type RecordingError,
} from './recording/read/read-recording.ts'
export { readTombstone, type Tombstone, tombstoneDigest } from './recording/read/tombstone.ts'
export {
  type RecordingProblem,
  type RecordingVerdict,
  verifyRecording,
  type VerifyRecordingOptions,
} from './recording/read/verify.ts'
export {
  createRecorders,
  type Recorder,
  type Recorders,
  type RecordersDeps,
  type RecordingOptions,
} from './recording/write/recorder.ts'
export type { RecordedEvent, WatchedEvent } from './recording/write/watch.ts'
export { type Clock, systemClock } from './postgres/shell/clock.ts'
export { createPostgresGateway, type PostgresGateway } from './postgres/shell/gateway.ts'
export type {
  Admission,
  Approve,
  Authority,
  ClientFacts,
  Foreseen,
  GatewayPorts,
  GatewaySettings,
  Login,
  PostgresSession,
  SessionLimits,
  TargetLogin,
  Turned,
} from './postgres/shell/ports.ts'
