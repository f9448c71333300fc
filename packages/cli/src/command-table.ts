/** Every command, in the order that help and reference show them. */

import type { CommandEntry } from './command.ts'
import { agentsKill } from './commands/agents-kill.ts'
import { agentsRestore } from './commands/agents-restore.ts'
import { agentsToken } from './commands/agents-token.ts'
import { agents } from './commands/agents.ts'
import { apply } from './commands/apply.ts'
import { approve } from './commands/approve.ts'
import { assume } from './commands/assume.ts'
import { auditExport } from './commands/audit-export.ts'
import { auditReceipt } from './commands/audit-receipt.ts'
import { auditRotateKey } from './commands/audit-rotate-key.ts'
import { auditTail } from './commands/audit-tail.ts'
import { auditVerify } from './commands/audit-verify.ts'
import { auditVerifyReceipt } from './commands/audit-verify-receipt.ts'
import { breakGlass } from './commands/break-glass.ts'
import { cancel } from './commands/cancel.ts'
import { changesApprove } from './commands/changes-approve.ts'
import { changesReject } from './commands/changes-reject.ts'
import { changesShow } from './commands/changes-show.ts'
import { changes } from './commands/changes.ts'
import { connect } from './commands/connect.ts'
import { demo } from './commands/demo.ts'
import { deny } from './commands/deny.ts'
import { done } from './commands/done.ts'
import { exec } from './commands/exec.ts'
import { extend } from './commands/extend.ts'
import { factorsReset } from './commands/factors-reset.ts'
import { factors } from './commands/factors.ts'
import { findingsClose } from './commands/findings-close.ts'
import { findings } from './commands/findings.ts'
import { gateway } from './commands/gateway.ts'
import { gatewaysNew } from './commands/gateways-new.ts'
import { gatewaysRemove } from './commands/gateways-remove.ts'
import { gateways } from './commands/gateways.ts'
import { grants } from './commands/grants.ts'
import { invite } from './commands/invite.ts'
import { keys } from './commands/keys.ts'
import { login } from './commands/login.ts'
import { loginsEnd } from './commands/logins-end.ts'
import { loginsLinks } from './commands/logins-links.ts'
import { loginsMachines } from './commands/logins-machines.ts'
import { loginsUnlink } from './commands/logins-unlink.ts'
import { logins } from './commands/logins.ts'
import { logout } from './commands/logout.ts'
import { recordingsExport } from './commands/recordings-export.ts'
import { recordingsFollow } from './commands/recordings-follow.ts'
import { recordingsForget } from './commands/recordings-forget.ts'
import { recordingsVerify } from './commands/recordings-verify.ts'
import { request } from './commands/request.ts'
import { requestsShow } from './commands/requests-show.ts'
import { requests } from './commands/requests.ts'
import { resources } from './commands/resources.ts'
import { reviewsClose } from './commands/reviews-close.ts'
import { reviews } from './commands/reviews.ts'
import { revoke } from './commands/revoke.ts'
import { runDone } from './commands/run-done.ts'
import { server } from './commands/server.ts'
import { servicesSecretsNew } from './commands/services-secrets-new.ts'
import { servicesSecretsRevoke } from './commands/services-secrets-revoke.ts'
import { servicesSecrets } from './commands/services-secrets.ts'
import { sessionsExport } from './commands/sessions-export.ts'
import { sessionsFollow } from './commands/sessions-follow.ts'
import { sessionsKill } from './commands/sessions-kill.ts'
import { sessionsShow } from './commands/sessions-show.ts'
import { sessions } from './commands/sessions.ts'
import { signal } from './commands/signal.ts'
import { statementsApprove } from './commands/statements-approve.ts'
import { statementsDeny } from './commands/statements-deny.ts'
import { statementsShow } from './commands/statements-show.ts'
import { statements } from './commands/statements.ts'
import { status } from './commands/status.ts'
import { stepUp } from './commands/step-up.ts'
import { survey } from './commands/survey.ts'
import { tokenNew } from './commands/token-new.ts'
import { usage } from './commands/usage.ts'
import { webhooksTest } from './commands/webhooks-test.ts'
import { webhooks } from './commands/webhooks.ts'
import { whoHadAccess } from './commands/who-had-access.ts'
import { whoami } from './commands/whoami.ts'

export const commands: readonly CommandEntry[] = [
  login,
  stepUp,
  logout,
  whoami,
  logins,
  loginsMachines,
  loginsEnd,
  loginsLinks,
  factors,
  status,
  resources,
  request,
  connect,
  exec,
  assume,
  breakGlass,
  grants,
  extend,
  done,
  requests,
  requestsShow,
  approve,
  deny,
  cancel,
  revoke,
  reviews,
  reviewsClose,
  sessions,
  sessionsShow,
  sessionsFollow,
  sessionsExport,
  sessionsKill,
  statements,
  statementsShow,
  statementsApprove,
  statementsDeny,
  recordingsFollow,
  recordingsVerify,
  recordingsExport,
  recordingsForget,
  survey,
  findings,
  findingsClose,
  webhooks,
  webhooksTest,
  signal,
  runDone,
  servicesSecrets,
  servicesSecretsNew,
  servicesSecretsRevoke,
  agents,
  agentsToken,
  agentsKill,
  agentsRestore,
  apply,
  changes,
  changesShow,
  changesApprove,
  changesReject,
  whoHadAccess,
  usage,
  auditTail,
  auditVerify,
  auditExport,
  auditReceipt,
  auditVerifyReceipt,
  auditRotateKey,
  tokenNew,
  invite,
  factorsReset,
  loginsUnlink,
  keys,
  server,
  gateway,
  gateways,
  gatewaysNew,
  gatewaysRemove,
  demo,
]

/** What the first words of commands with two words are about, where they are no command themselves. */
export const groups: Readonly<Record<string, string>> = {
  audit: 'Read, verify and keep the audit log',
  recordings: 'Watch, verify, export and delete what gateways recorded',
  run: 'What a workload says of its run',
  services: 'Services and their secrets',
  token: 'Make API tokens',
}
