/**
 * @tidegate/server: the control plane. It holds the master key, the log's signing key and the admin logins of targets,
 * so it is what an attacker wants; SECURITY.md says what it trusts and what it does when each of those is hostile.
 */

export { startServer } from './server.ts'
export type { RunningServer, ServerOptions } from './server.ts'
export type { SessionRules } from './configuration/session-rules.ts'
export { loadSettings, settingRows } from './settings/settings.ts'
export type { Env, SettingRow, Settings } from './settings/settings.ts'
export { StartRefusal } from './settings/start-refusal.ts'
export { createLogger } from './logger.ts'
export { startEmbeddedPostgres } from './embedded/start.ts'
export type { EmbeddedPostgres } from './embedded/start.ts'
export { isEmbeddedError } from './embedded/faults.ts'
export { entryTypes } from './log/entry-types.ts'
export { findingKinds } from './findings/findings.ts'
