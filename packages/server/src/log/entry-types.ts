/**
 * Every kind of audit entry. `open` fields stand in the log as they are; `personal` fields stand there as salted
 * commitments, and what they mean is kept beside the log, so that it can be erased. The value of a personal field
 * names the field that says whose data it is. `docs/reference/entries.md` is made from this table.
 */

// oxlint-disable eslint/max-lines -- It is one table.

export type EntryShape = {
  readonly about: string
  readonly open: readonly string[]
  readonly personal: Readonly<Record<string, string>>
}

export const entryTypes = {
  'installation.created': { about: 'Tidegate was started on an empty store.', open: [], personal: {} },
  'log.key-changed': {
    about:
      'The log is to be signed with another key, `to`. The next checkpoint is signed by both, those after it by this one alone.',
    open: ['from', 'to'],
    personal: { by: 'by', reason: 'by' },
  },
  'master-key.changed': {
    about: 'A server started with a new master key: what is sealed is sealed anew with `to`. Keys go by their ids.',
    open: ['from', 'to'],
    personal: {},
  },
  'master-key.unused': {
    about: 'Nothing is left in the store that this master key has sealed.',
    open: ['key'],
    personal: {},
  },
  'configuration.applied': {
    about: 'A configuration came into force.',
    open: ['change', 'version', 'hash', 'items', 'secondPerson'],
    personal: { author: 'author', approver: 'approver' },
  },
  'configuration.proposed': {
    about: 'A change of the configuration waits for a second person.',
    open: ['change', 'base', 'hash', 'items'],
    personal: { author: 'author' },
  },
  'configuration.rejected': {
    about: 'A change of the configuration was refused or taken back.',
    open: ['change'],
    personal: { by: 'by' },
  },
  'administration.standing-used': {
    about: 'Someone administered by standing power that configuration gives, and not by a grant.',
    open: ['role', 'operation', 'method'],
    personal: { by: 'by' },
  },
  'break-glass.used': {
    about:
      'Someone opened a role at once and alone, in an emergency. `reviewers` look at it by `dueAt`; groups in `notified` see it, and it is sent to `webhooks`.',
    open: ['review', 'role', 'dueAt', 'reviewers', 'notified', 'webhooks', 'durationSeconds'],
    personal: { principal: 'principal', reason: 'principal' },
  },
  'break-glass.refused': {
    about: 'Someone tried to break glass and was refused.',
    open: ['role', 'cause'],
    personal: { principal: 'principal' },
  },
  'break-glass.reviewed': {
    about: 'A use of break-glass was looked at by someone else. `overdue`: later than it was to be.',
    open: ['review', 'overdue'],
    personal: { by: 'by', comment: 'by' },
  },
  'request.filed': {
    about: 'Someone asked, and policy answered. With a grant: that this one end later.',
    open: [
      'role',
      'durationSeconds',
      'action',
      'startAt',
      'through',
      'decision',
      'outcome',
      'policies',
      'obligations',
      'policyVersion',
      'signals',
    ],
    personal: {
      principal: 'principal',
      onBehalfOf: 'onBehalfOf',
      reason: 'principal',
      ticket: 'principal',
      task: 'principal',
    },
  },
  'request.answered': {
    about: 'An approver answered, after the question had been asked again.',
    open: ['approval', 'verdict', 'as', 'decision', 'outcome', 'policyVersion'],
    personal: { approver: 'approver', comment: 'approver' },
  },
  'request.approved': {
    about: 'The request was approved: by policy, or by the people a path asks for.',
    open: ['by', 'policies', 'stages', 'decision'],
    personal: {},
  },
  'request.denied': { about: 'The request was denied.', open: ['by', 'decision', 'cause'], personal: {} },
  'request.cancelled': { about: 'The requester took it back.', open: [], personal: {} },
  'request.expired': {
    about: 'No one answered in time, or before the grant that it would extend was over.',
    open: [],
    personal: {},
  },
  'request.failed': { about: 'It was approved and the target could not be opened.', open: ['cause'], personal: {} },
  'grant.created': {
    about: 'An approved request became a grant.',
    open: ['role', 'durationSeconds', 'startAt', 'activateBy'],
    personal: { principal: 'principal' },
  },
  'grant.ready': { about: 'Its start time was reached.', open: [], personal: {} },
  'grant.opening': {
    about: 'Its holder activated it: the clock started and the target is being opened.',
    open: [
      'role',
      'attempt',
      'expiresAt',
      'decision',
      'outcome',
      'policies',
      'obligations',
      'policyVersion',
      'signals',
    ],
    personal: { principal: 'principal' },
  },
  'grant.opened': {
    about: 'The target said that the credential works.',
    open: ['role', 'expiresAt'],
    personal: { principal: 'principal' },
  },
  'grant.reissued': { about: 'Its credential was made anew; its end stayed.', open: ['attempt'], personal: {} },
  'grant.open-failed': { about: 'Opening failed.', open: ['attempt', 'cause', 'leftNothing'], personal: {} },
  'grant.waiting': { about: 'It waits for its target; its holder may activate it again.', open: [], personal: {} },
  'grant.shortened': {
    about: 'Policy gives less than it did: it ends earlier.',
    open: ['expiresAt', 'decision'],
    personal: {},
  },
  'grant.obliged': {
    about: 'Policy asks something else of its sessions than it did: this, from here on, beside what its role says.',
    open: ['role', 'obligations', 'decision'],
    personal: {},
  },
  'grant.extended': {
    about: 'Its holder asked anew, and it ends later: by `request`, and by no more than that asked for.',
    open: [
      'role',
      'durationSeconds',
      'expiresAt',
      'decision',
      'outcome',
      'policies',
      'obligations',
      'policyVersion',
      'signals',
    ],
    personal: { principal: 'principal' },
  },
  'grant.ending': {
    about: 'It ends: no new session from here on, and the running ones are cut.',
    open: ['reason', 'decision'],
    personal: { by: 'by', note: 'by' },
  },
  'grant.ended': {
    about: 'It is over. `verifiedGone`: the target was read back and nothing of it is left.',
    open: ['role', 'reason', 'activatedAt', 'expiresAt', 'endingAt', 'verifiedGone', 'sessionsEnded'],
    personal: { principal: 'principal' },
  },
  'grant.login-released': {
    about:
      'A gateway was told the login of a grant on its target, for whoever came in its name. Whether they proved it and were let through, `session.opened` says.',
    open: ['gateway', 'role', 'attempt'],
    personal: { principal: 'principal' },
  },
  'session.opened': {
    about: 'A gateway let a holder through to the target.',
    open: ['session', 'gateway', 'role', 'database', 'tls'],
    personal: { principal: 'principal', clientAddress: 'principal', application: 'principal' },
  },
  'session.recorded': {
    about: 'How far the recording of a session has come: `head` is what it must have in it.',
    open: ['session', 'gateway', 'head'],
    personal: {},
  },
  'session.ended': {
    about: 'A session is over. `lost`: nobody said how, and `at` is when that was noticed.',
    open: ['session', 'gateway', 'role', 'statements', 'refused', 'head', 'used', 'lost'],
    personal: { principal: 'principal', reason: 'principal' },
  },
  'session.refused': {
    about: 'The guard of a session refused statements by a rule: `count` so far, from number `first` to number `last`.',
    open: ['session', 'gateway', 'rule', 'first', 'last', 'count'],
    personal: {},
  },
  'statement.asked': {
    about: 'A statement of a session waits for a person. `commitment` is of its text and parameters.',
    open: ['statement', 'session', 'gateway', 'role', 'number', 'rule', 'approvers', 'pendingUntil', 'commitment'],
    personal: { principal: 'principal' },
  },
  'statement.approved': {
    about: 'An approver said yes to the one statement.',
    open: ['statement', 'session', 'as'],
    personal: { approver: 'approver', comment: 'approver' },
  },
  'statement.denied': {
    about: 'An approver said no to the one statement.',
    open: ['statement', 'session', 'as'],
    personal: { approver: 'approver', comment: 'approver' },
  },
  'statement.expired': { about: 'Nobody answered in time.', open: ['statement', 'session'], personal: {} },
  'statement.abandoned': {
    about: 'Nobody waits for the statement any more, and it was not run as far as its gateway has said.',
    open: ['statement', 'session', 'because'],
    personal: {},
  },
  'statement.run': {
    about: 'Its gateway let the approved statement through to the target, once.',
    open: ['statement', 'session'],
    personal: {},
  },
  'session.killed': {
    about: 'Someone had a session ended; its grant goes on.',
    open: ['session', 'gateway'],
    personal: { principal: 'principal', by: 'by', note: 'by' },
  },
  'recording.viewed': {
    about: 'Someone was let see the recording of a session. Written before anything of it was shown.',
    open: ['session', 'gateway', 'view', 'follow'],
    personal: { principal: 'principal', by: 'by', reason: 'by' },
  },
  'recording.deletion-asked': {
    about: 'The recording of a session is to be deleted: someone said so, or it was kept for as long as it is to be.',
    open: ['session', 'gateway', 'keptSeconds'],
    personal: { principal: 'principal', by: 'by', reason: 'by' },
  },
  'recording.deleted': {
    about:
      'The recording of a session was deleted. `digest` is that of the tombstone in its place, `head` is where it stood by its files, `anchored` by the log, and `verdict` says what verification found just before.',
    open: ['session', 'gateway', 'digest', 'head', 'anchored', 'verdict', 'files', 'bytes', 'startedAt', 'endedAt'],
    personal: { principal: 'principal', by: 'by', reason: 'by' },
  },
  'gateway.invited': {
    about: 'A gateway may enrol, once; whoever had its name before is out.',
    open: ['gateway', 'resources', 'expiresAt'],
    personal: { by: 'by' },
  },
  'gateway.enrolled': {
    about: 'A gateway used its invitation; from here on it signs in with this key.',
    open: ['gateway', 'publicKey', 'host', 'port'],
    personal: {},
  },
  'gateway.removed': { about: 'A gateway was put out.', open: ['gateway'], personal: { by: 'by' } },
  'login.shortened': {
    about: 'A target was told that the login of a grant ends earlier than it was told before.',
    open: ['resource', 'expiresAt'],
    personal: {},
  },
  'login.extended': {
    about: 'A target was told that the login of a grant ends later than it was told before.',
    open: ['resource', 'expiresAt'],
    personal: {},
  },
  'orphan.closed': {
    about: 'A login of ours without a live grant was found on a target, and closed.',
    open: ['resource', 'sessionsEnded'],
    personal: {},
  },
  'finding.opened': {
    about: 'Something wants a human to look at it.',
    open: ['finding', 'kind', 'subject', 'severity'],
    personal: {},
  },
  'finding.closed': {
    about: 'It is no longer so.',
    open: ['finding', 'kind', 'subject'],
    personal: { by: 'by', note: 'by' },
  },
  'webhook.gave-up': {
    about: 'What a webhook should have got is too old, and is not sent any more: `count` entries, by index in the log.',
    open: ['webhook', 'count', 'first', 'last'],
    personal: {},
  },
  'webhook.switched-off': {
    about: 'The receiver of a webhook said that it is none any more. Nothing is sent until configuration changes it.',
    open: ['webhook'],
    personal: {},
  },
  'webhook.tested': {
    about: 'Someone had a message sent to a webhook that tells of nothing.',
    open: ['webhook', 'message'],
    personal: { by: 'by' },
  },
  'survey.taken': {
    about: 'The standing privileges on a target were read.',
    open: ['resource', 'items'],
    personal: { by: 'by' },
  },
  'login.started': {
    about: 'Someone proved who they are, and is believed from here on.',
    open: ['login', 'kind', 'provider', 'method', 'mfa', 'phishingResistant'],
    personal: { principal: 'principal', subject: 'principal', address: 'principal', agent: 'principal' },
  },
  'login.refused': {
    about: 'A provider sent someone who was not let in.',
    open: ['provider', 'cause'],
    personal: { subject: 'subject', address: 'subject' },
  },
  'refusals.counted': {
    about: 'Of the type `of` there were `count` more than have an entry. Without a cause: too many that differ.',
    open: ['of', 'source', 'cause', 'count', 'since', 'until'],
    personal: { principal: 'principal', subject: 'subject', address: 'subject' },
  },
  'login.linked': {
    about: 'A sign-in at a provider became that of one of our people.',
    open: ['provider', 'by'],
    personal: { principal: 'principal', subject: 'principal' },
  },
  'login.unlinked': {
    about: 'A sign-in at a provider is no longer that of one of our people; what it had opened ended.',
    open: ['provider', 'logins', 'grants'],
    personal: { principal: 'principal', subject: 'principal', by: 'by' },
  },
  'login.declined': {
    about: 'Someone who is signed in did not let a command line act as them. Unless they had asked, someone else has.',
    open: ['by'],
    personal: { principal: 'principal', address: 'principal', agent: 'principal' },
  },
  'login.ended': {
    about: 'A login is over: nobody is believed by it any more.',
    open: ['login', 'kind', 'reason'],
    personal: { principal: 'principal', by: 'by' },
  },
  'login.logout-received': {
    about: 'A provider said that someone is logged out there.',
    open: ['provider', 'logins'],
    personal: { subject: 'subject' },
  },
  'login.strengthened': {
    about:
      'Someone proved more than at their sign-in, by `factor`, or the same anew. `browser`: a command line proves what the browser that let it in does.',
    open: ['login', 'factor', 'method', 'mfa', 'phishingResistant'],
    personal: { principal: 'principal' },
  },
  'factor.added': {
    about: 'A passkey, codes of an app or recovery codes are someone’s from here on.',
    open: ['kind', 'factor'],
    personal: { principal: 'principal', name: 'principal' },
  },
  'factor.removed': {
    about: 'They are no longer.',
    open: ['kind', 'factor', 'because'],
    personal: { principal: 'principal', name: 'principal' },
  },
  'factor.refused': {
    about: 'A second factor was not what it had to be. `copied`: a passkey counts, and there are two of it.',
    open: ['kind', 'cause', 'login'],
    personal: { principal: 'principal', address: 'principal' },
  },
  'factor.reset': {
    about:
      'An administrator had someone’s second factors forgotten and their logins ended. They are told at each login.',
    open: ['passkeys', 'totp', 'recoveryCodes', 'account', 'logins'],
    personal: { principal: 'principal', by: 'by', reason: 'by' },
  },
  'factor.recovery-code-used': {
    about: 'A recovery code was used up. Its owner is told at their next login.',
    open: ['login', 'left'],
    personal: { principal: 'principal' },
  },
  'machine-login.started': {
    about: 'A service or an agent proved who it is, and is believed from here on.',
    open: ['login', 'method', 'bound', 'endsAt', 'run', 'through'],
    personal: { principal: 'principal', onBehalfOf: 'onBehalfOf', subject: 'principal', address: 'principal' },
  },
  'machine-login.refused': {
    about: 'A token that an issuer made for us is of nobody whom configuration trusts, or was used before.',
    open: ['issuer', 'cause'],
    personal: { subject: 'subject', address: 'subject' },
  },
  'machine-login.ended': {
    about: 'A login of a service or an agent is over before its time.',
    open: ['login', 'reason'],
    personal: { principal: 'principal', by: 'by' },
  },
  'run.ended': {
    about: 'A workload said that its run is over, and with it what was bound to that.',
    open: ['run', 'logins', 'grants'],
    personal: { principal: 'principal' },
  },
  'service-secret.created': {
    about: 'A secret was made for a service.',
    open: ['secret', 'service', 'expiresAt'],
    personal: { by: 'by' },
  },
  'service-secret.revoked': {
    about: 'A secret of a service was revoked, and the logins that it was used for ended.',
    open: ['secret', 'service', 'logins'],
    personal: { by: 'by' },
  },
  'agent.killed': {
    about:
      'An agent was killed: its logins and grants ended, those of agents that act for it too, and it gets no more.',
    open: ['agent', 'logins', 'grants'],
    personal: { by: 'by', reason: 'by' },
  },
  'agent.restored': { about: 'An agent that was killed may be known again.', open: ['agent'], personal: { by: 'by' } },
  'account.invited': {
    about: 'Someone may make an account of Tidegate itself, or make it anew, once, by a link.',
    open: ['endsAt', 'printed'],
    personal: { principal: 'principal', by: 'by' },
  },
  'account.joined': {
    about: 'They did, and sign in by `method` from here on. What they had signed in with here before counts no longer.',
    open: ['method'],
    personal: { principal: 'principal', address: 'principal' },
  },
  'directory.user-changed': {
    about:
      'A source said something else of a person than before: that they are there, who they are, whether they are active.',
    open: ['source', 'change'],
    personal: { principal: 'principal' },
  },
  'directory.groups-changed': {
    about: 'A source said that someone is in other groups than before.',
    open: ['source', 'added', 'removed'],
    personal: { principal: 'principal' },
  },
  'directory.group-changed': {
    about:
      'A source said something else of a group than before: that it is there, is called otherwise, has other groups in it.',
    open: ['source', 'group', 'change', 'before', 'member'],
    personal: {},
  },
  'signal.received': {
    about: 'A source said a fact.',
    open: ['name', 'source', 'staleAt'],
    personal: { subject: 'subject', value: 'subject' },
  },
} as const satisfies Record<string, EntryShape>

export type EntryType = keyof typeof entryTypes
