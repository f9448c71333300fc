/** The Cedar schema every policy is checked against: a fixed part, and one optional record per kind of signal. */

import type { SignalField, SignalKind, SignalName } from '../signal.ts'
import { signalKinds } from '../signal.ts'

type SubjectOf<K extends SignalName> = (typeof signalKinds)[K]['subject']

/** The kinds whose facts are about the principal; each is an optional record in the context of policies. */
export type PrincipalSignal = {
  [K in SignalName]: SubjectOf<K> extends 'principal' ? K : never
}[SignalName]

export const principalSignals = (Object.entries(signalKinds) as [SignalName, SignalKind][])
  .filter(([, kind]) => kind.subject === 'principal')
  .map(([name]) => name as PrincipalSignal)

const cedarTypes: Record<SignalField, string> = { boolean: 'Bool', string: 'String', long: 'Long' }

function signalAttribute(name: PrincipalSignal): string {
  const fields = Object.entries(signalKinds[name].fields).map(([field, type]) => `${field}: ${cedarTypes[type]}`)
  return `    // ${signalKinds[name].about}\n    ${name}?: { ${fields.join(', ')} },`
}

/** Cedar schema text, strict: what is not named here does not load. */
export const policySchema = `entity Group;
entity User in [Group];
entity Service in [Group];
entity Agent in [Group];

// Label::"env=production"
entity Label;
// Resource::"tidegate" is Tidegate itself: only a policy whose scope names it, or a role on it, gives anything there.
entity Resource in [Label] { kind: String };
// Role::"orders-db/writer"; risk is low, elevated or admin.
entity Role in [Resource] { name: String, risk: String };

// access is what people ask for; break-glass is access at once, in an emergency, to be reviewed afterwards.
action access, "break-glass" appliesTo {
  principal: [User, Service, Agent],
  resource: [Role],
  context: {
    now: datetime,
    // In the time zone of the question; weekday 1 is Monday, 7 is Sunday.
    time: { hour: Long, minute: Long, weekday: Long },
    // Seconds asked for.
    duration: Long,
    // The ticket that the request names; open only where a fresh signal says so.
    ticket?: { id: String, open: Bool },
    task?: String,
    // How the principal proved who it is, how many seconds ago, and which run of a workload it is bound to.
    authentication: { method: String, mfa: Bool, phishing_resistant: Bool, age: Long, run?: String },
    // request, approve, connect, or hold: what is open is asked about again.
    step: String,
    // The same of whoever answers the request, while they do.
    approver?: { method: String, mfa: Bool, phishing_resistant: Bool, age: Long },
${principalSignals.map(signalAttribute).join('\n')}
  },
};
`
