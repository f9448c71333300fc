/** What configuration files may say. Strict: a name that is not known here is an error, not a silence. */

import { administrationResource, parseDuration, parseInstant, risks, signalKinds } from '@tidegate/core'
import type { Instant, Millis, SignalName } from '@tidegate/core'
import { z } from 'zod'
import { identityLimits } from '../identity/limits.ts'
import { platformNames } from '../identity/services/platforms.ts'
import { destinationProblem } from '../notify/destination.ts'
import { urgentWord } from '../notify/selection.ts'

const id = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._@+-]{0,127}$/i, { error: 'An id is letters, digits and . _ @ + -, at most 128 of them.' })

const lowerId = z.string().regex(/^[a-z][a-z0-9-]{0,62}$/, {
  error: 'A name is lower-case letters, digits and -, begins with a letter and has at most 63 characters.',
})

/** `manager` and `owner` mean people by their relation to a request, so no group may be called so. */
const groupId = lowerId.refine((name) => name !== 'manager' && name !== 'owner', {
  error:
    'The names manager and owner are taken: policies use them for the requester’s manager and the resource’s owner.',
})

/** Declared here, or a provider’s: `okta/security`. */
const anyGroup = z.string().min(1).max(200)

const duration = z.string().transform((text, context): Millis => {
  const length = parseDuration(text)
  if (length !== undefined) return length
  context.addIssue({
    code: 'custom',
    message: 'Write a positive duration: 90s, 30m, 2h, 7d, or ISO 8601 such as PT30M.',
  })
  return z.NEVER
})

const instant = z.string().transform((text, context): Instant => {
  const at = parseInstant(text)
  if (at !== undefined) return at
  context.addIssue({ code: 'custom', message: 'Write an RFC 3339 time with its offset, such as 2027-01-31T00:00:00Z.' })
  return z.NEVER
})

const timeZone = z.string().refine(isTimeZone, { error: 'Write an IANA time zone, such as Europe/Berlin or UTC.' })

function isTimeZone(name: string): boolean {
  try {
    return Boolean(new Intl.DateTimeFormat('en', { timeZone: name }))
  } catch {
    return false
  }
}

/** Only the hash is configured: `tidegate token new` prints a token once, and this. */
const token = z.strictObject({
  hash: z
    .string()
    .regex(/^sha256:[0-9a-f]{64}$/, { error: 'Write sha256: and 64 hex digits; `tidegate token new` makes one.' }),
  /** There is no token without an end. */
  expires: instant,
})

const tokens = z.array(token).max(10).default([])

const settings = z.strictObject({
  /** The group whose people administer Tidegate. */
  administrators: groupId,
  /** The group whose people may read everything and approve nothing by it. */
  auditors: groupId.optional(),
  /** Changes to who may do what wait for a second administrator. */
  fourEyes: z.boolean().default(false),
  /** `retired`: the token printed at the first start no longer works. Say so once administrators have their own. */
  firstAdministrator: z.enum(['enabled', 'retired']).default('enabled'),
  /** For hours and weekdays in policies. */
  timeZone: timeZone.default('UTC'),
  /** A request nobody answers expires after this. */
  requestTimeout: duration.default((24 * 3_600_000) as Millis),
  /** A grant nobody activates lapses after this. */
  activationWindow: duration.default((24 * 3_600_000) as Millis),
  /** Whoever has a session open through a gateway is told this long before it ends. */
  warnBefore: duration.default(120_000 as Millis),
})

/** Where this person signs in, by what the provider calls them for ever. Goes before what their mail address says. */
const signIn = z.strictObject({ provider: lowerId, subject: z.string().min(1).max(255) })

const user = z.strictObject({
  id,
  name: z.string().max(200).optional(),
  email: z.string().max(320).optional(),
  manager: id.optional(),
  signIns: z.array(signIn).max(10).default([]),
  tokens,
})

const loopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

const issuer = z.string().refine(isIssuer, {
  error: 'Write the issuer as the provider calls itself: https://HOST, with no query, fragment or user.',
})

/** Plain HTTP only to this machine, for trying out. */
function isIssuer(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, hostname, username, password, search, hash } = new URL(text)
  const safe = protocol === 'https:' || (protocol === 'http:' && loopback.test(hostname))
  return safe && `${username}${password}${search}${hash}` === ''
}

const reference = z.string().regex(/^(env|file):.+/s, {
  error: 'Write a reference, env:NAME or file:PATH; the value itself does not belong here.',
})

const domain = z.string().regex(/^(?=.{1,253}$)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+$/, {
  error: 'Write a domain in lower case, such as example.com.',
})

const claimName = z.string().min(1).max(200)
const proofValues = z.array(z.string().min(1).max(200)).max(50)

/** Any of these in what the provider says of a sign-in is taken for it. */
const proof = z.strictObject({ amr: proofValues.default([]), acr: proofValues.default([]) })

/** An OpenID provider. It is believed about people of its domains, and about nobody else. */
const provider = z.strictObject({
  /** Also what the ids of its groups begin with: `okta/platform`. */
  id: lowerId.refine((name) => name !== 'local', { error: 'The name local is taken: it is that of local accounts.' }),
  issuer,
  clientId: z.string().min(1).max(500),
  clientSecret: reference,
  /** How the secret is sent: in a header, or in the body. */
  clientAuthentication: z.enum(['basic', 'post']).default('basic'),
  domains: z.array(domain).min(1).max(100),
  scopes: z
    .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, { error: 'A scope is one word.' }))
    .max(50)
    .default(['openid', 'email', 'profile'])
    .refine((scopes) => scopes.includes('openid'), { error: 'Without openid nobody signs in.' }),
  /** What its claims are called. */
  claims: z
    .strictObject({
      email: claimName.default('email'),
      /** Only an address that this says is verified counts. */
      emailVerified: claimName.default('email_verified'),
      name: claimName.default('name'),
      /** A list of names. Absent: no groups from sign-ins. */
      groups: claimName.optional(),
    })
    .prefault({}),
  /** Whom it knows and Tidegate does not: refused, or known from here on by their mail address. */
  newcomers: z.enum(['refuse', 'create']).default('refuse'),
  mfa: proof.prefault({ amr: ['mfa'] }),
  phishingResistant: proof.prefault({ acr: ['phr', 'phrh'] }),
})

const sessions = z.strictObject({
  /** A login that is not used for this long is over. */
  idle: duration.default(3_600_000 as Millis),
  /** And after this long, used or not. What a provider said at the sign-in is believed no longer either. */
  longest: duration.default((12 * 3_600_000) as Millis),
})

/** What pushes people and groups by SCIM. It speaks of people of its provider's domains, and of its own groups. */
const scimSource = z.strictObject({
  /** Also what the ids of its groups begin with: `okta-people/platform`. */
  id: lowerId,
  /** Where its people sign in. */
  provider: lowerId,
  /** Two, while one takes the place of the other. */
  tokens: z
    .array(token)
    .min(1, { error: 'Without a token nothing is pushed; `tidegate token new` makes one.' })
    .max(2, { error: 'At most two: the new token, and the one before while the source learns of it.' }),
})

/** Whoever gives workloads tokens that say which one it is. */
const workloadIssuer = z.strictObject({
  id: lowerId,
  /** Which of its claims are ids, and which only names. */
  platform: z.enum(platformNames),
  /** What its tokens call it; of SPIFFE the trust domain, `spiffe://example.org`. */
  issuer: z.union([issuer, z.string().regex(/^spiffe:\/\/[a-z0-9._-]{1,255}$/)], {
    error: 'Write the issuer as its tokens call it: https://HOST, or spiffe://TRUST-DOMAIN.',
  }),
  /** Where its keys are: an address, or `file:PATH`. Absent: where it says itself, in its discovery document. */
  keys: z
    .union([issuer, z.string().regex(/^file:.+/s)], { error: 'Write https://… or file:PATH; it names a JWKS.' })
    .optional(),
  /** An older token than this is refused, however long it says that it is good. */
  maxAge: duration.default((15 * 60_000) as Millis).refine((length) => length <= identityLimits.workloadTokenAge, {
    error: 'A token is taken for a day at most: write 24h or less.',
  }),
})

const local = z.strictObject({
  /** `refused`: by passkey alone. */
  passwords: z.enum(['allowed', 'refused']).default('allowed'),
})

const identity = z.strictObject({
  providers: z.array(provider).max(20).default([]),
  scim: z.array(scimSource).max(20).default([]),
  issuers: z.array(workloadIssuer).max(50).default([]),
  sessions: sessions.prefault({}),
  /** Accounts of Tidegate itself, for a team without a provider. Absent: there are none. */
  local: local.optional(),
  /** What whoever has no second factor yet has to have done lately to get one: sign in, or prove one at their provider. */
  firstFactor: z.enum(['sign-in', 'mfa']).default('sign-in'),
})

const accessLength = duration.refine((length) => length <= identityLimits.machineLogin, {
  error: 'It lasts six hours at most: write 6h or less. Whoever needs longer proves again who it is.',
})

/** A workload that may say it is this service: all of it has to be so. */
const trust = z.strictObject({
  issuer: lowerId,
  /** Whom its tokens have to be for, and nobody else beside it. */
  audience: z.string().min(1).max(500),
  /** By name, or by JSON pointer such as `/kubernetes.io/pod/uid`, exactly these values. */
  claims: z.record(
    z.string().min(1).max(200),
    z.union([z.string().min(1).max(500), z.int(), z.boolean()]).transform(String),
  ),
  /** What it is given is its run's alone, and ends with it. */
  boundTo: z.literal('run').optional(),
  /** It is believed this long. */
  lasts: accessLength.default((15 * 60_000) as Millis),
})

/** A public key that it signs with. There is no key without an end. */
const serviceKey = z.strictObject({
  jwk: z.record(z.string(), z.unknown()),
  expires: instant,
})

const secrets = z.strictObject({
  /** No secret is good for longer. */
  longest: duration.refine((length) => length <= identityLimits.serviceSecret, {
    error: 'A secret is good for a year at most: write 365d or less.',
  }),
})

/** Who gets what at once and alone in an emergency, where policy permits it, and who looks at it afterwards. */
const breakGlass = z.strictObject({
  /** As in groups: `alice`, `group:on-call`. */
  people: z.array(z.string().min(1).max(200)).min(1, { error: 'Name someone, or leave breakGlass out.' }).max(100),
  roles: z
    .array(z.string().regex(/^[a-z][a-z0-9-]*\/[a-z][a-z0-9-]*$/, { error: 'Write RESOURCE/ROLE.' }))
    .min(1, { error: 'Name a role, or leave breakGlass out.' })
    .max(500),
  /** It lasts no longer. */
  longest: duration.default(3_600_000 as Millis),
  /** How they have to have signed in. `any`: a configured token is enough. */
  proof: z.enum(['phishing-resistant', 'mfa', 'any']).default('phishing-resistant'),
  review: z.strictObject({
    /** Their people look at each use, never at their own. */
    by: anyGroup,
    within: duration.default(86_400_000 as Millis),
  }),
  /** Groups whose people see each use, beside reviewers and auditors. */
  notify: z.array(anyGroup).max(50).default([]),
})

const destination = z
  .string()
  .max(2_000)
  .superRefine((text, context) => {
    const message = destinationProblem(text)
    if (message !== undefined) context.addIssue({ code: 'custom', message })
  })

/** Who is told of what happens, by a message for each entry of the log that they get. */
const webhook = z.strictObject({
  id: lowerId,
  url: destination,
  /** What messages are signed with. Two, while one takes the place of the other. */
  secrets: z
    .array(reference)
    .min(1, { error: 'Without a secret nobody could tell that a message is ours: name one.' })
    .max(2, { error: 'At most two: the new secret, and the one before while the receiver learns of it.' }),
  /** Types of entries, groups of them such as `break-glass.*`, or `urgent`. */
  entries: z
    .array(z.string().min(1).max(100))
    .min(1, { error: 'Name what it gets, or leave entries out.' })
    .max(100)
    .default([urgentWord]),
  /** Of entries about a resource, only those about one of these. Absent: about any. */
  resources: z.array(lowerId).min(1, { error: 'Name a resource, or leave resources out.' }).max(500).optional(),
  /** PEM of the certificate authority; absent: those that Node.js trusts. */
  ca: reference.optional(),
})

const service = z.strictObject({
  id,
  owner: id.optional(),
  /** The signals it may send. */
  signals: z.array(z.enum(Object.keys(signalKinds) as [SignalName, ...SignalName[]])).default([]),
  trust: z.array(trust).max(50).default([]),
  keys: z.array(serviceKey).max(5).default([]),
  /** Whether secrets may be made for it. Absent: none. */
  secrets: secrets.optional(),
  tokens,
})

/** Whom it acts for: exactly one of `user`, `service` and `agent`. */
const agent = z
  .strictObject({ id, user: id.optional(), service: id.optional(), agent: id.optional(), tokens })
  .refine((one) => [one.user, one.service, one.agent].filter((ref) => ref !== undefined).length === 1, {
    error: 'An agent acts for exactly one: write user, service or agent.',
  })

const group = z.strictObject({
  id: groupId,
  /** `alice` is a user; `service:ci`, `agent:helper` and `group:team-a` are what they say. `group:okta/platform` is the provider’s. */
  members: z.array(z.string().min(1).max(200)).default([]),
})

/** Names of sets that are declared once for many. */
const setNames = z.array(lowerId).max(10).default([])

const role = z.strictObject({
  name: lowerId.refine((name) => !name.startsWith('grt-'), { error: 'Names that begin with grt- are taken.' }),
  risk: z.enum(risks),
  description: z.string().max(500).optional(),
  /** The connector's own words; checked by it. */
  privileges: z.unknown(),
  /** Which statements a gateway lets through. The gateway's own words; checked by it. */
  guard: z.unknown().optional(),
  /** What a gateway hides of results. The gateway's own words; checked by it. */
  mask: z.unknown().optional(),
  /** By name, beside what stands here itself. All of it holds. */
  guards: setNames,
  masks: setNames,
  recordings: setNames,
})

const rules = z.unknown().nonoptional({ error: 'Write the rules.' })
const guardSet = z.strictObject({ id: lowerId, rules })
const maskSet = z.strictObject({ id: lowerId, rules })

/** What a gateway writes down of sessions, and what it does when it cannot. `commit`: a salted hash instead. */
const recording = z.strictObject({
  text: z.enum(['keep', 'commit']).default('keep'),
  parameters: z.enum(['keep', 'commit']).default('keep'),
  rows: z.enum(['none', 'keep', 'commit']).default('none'),
  whenItFails: z.enum(['end', 'go-on']).default('end'),
})

const keptRecording = recording.extend({
  /** So long after its session ended a recording is deleted, with word of it in the log. Absent: it is kept. */
  keepFor: duration.optional(),
})

const asksForNothing = { error: 'Leave it out: only what is stricter can be asked for.' }

/** What is asked of a recording, over what its resource says. */
const recordingSet = z
  .strictObject({
    id: lowerId,
    text: z.literal('commit', asksForNothing).optional(),
    parameters: z.literal('commit', asksForNothing).optional(),
    rows: z.enum(['keep', 'commit']).optional(),
    whenItFails: z.literal('end', asksForNothing).optional(),
  })
  .refine((set) => Object.keys(set).length > 1, {
    error: 'It asks for nothing: write text, parameters, rows or whenItFails.',
  })

const resource = z.strictObject({
  id: lowerId.refine((name) => name !== administrationResource, {
    error: 'The name tidegate is taken: it is Tidegate itself, whose roles are always there.',
  }),
  kind: z.string(),
  description: z.string().max(500).optional(),
  labels: z.record(z.string().regex(/^[a-z][a-z0-9._/-]{0,62}$/), z.string().min(1).max(200)).default({}),
  owner: groupId.optional(),
  whenUnreachable: z.enum(['fail', 'wait']).default('fail'),
  /** `required`: nobody but a gateway gets the target's credentials. Absent: `none`. */
  gateway: z.enum(['none', 'required']).optional(),
  /** Absent: as if every field were. */
  recording: keptRecording.optional(),
  /** The connector's own words; checked by it. */
  connection: z.unknown(),
  roles: z.array(role).min(1, { error: 'A resource without roles gives nothing; add one or leave it out.' }),
})

/** One file. Several files of a directory add up. */
export const configurationFile = z.strictObject({
  settings: settings.optional(),
  identity: identity.optional(),
  breakGlass: breakGlass.optional(),
  webhooks: z.array(webhook).max(20).default([]),
  users: z.array(user).default([]),
  services: z.array(service).default([]),
  agents: z.array(agent).default([]),
  groups: z.array(group).default([]),
  /** What roles and policies name. */
  guards: z.array(guardSet).max(100).default([]),
  masks: z.array(maskSet).max(100).default([]),
  recordings: z.array(recordingSet).max(100).default([]),
  resources: z.array(resource).default([]),
})

export type DeclaredFile = z.output<typeof configurationFile>
export type DeclaredSettings = z.output<typeof settings>
export type DeclaredIdentity = z.output<typeof identity>
export type DeclaredBreakGlass = z.output<typeof breakGlass>
export type DeclaredWebhook = z.output<typeof webhook>
export type DeclaredProvider = z.output<typeof provider>
export type DeclaredScim = z.output<typeof scimSource>
export type DeclaredUser = z.output<typeof user>
export type DeclaredIssuer = z.output<typeof workloadIssuer>
export type DeclaredService = z.output<typeof service>
export type DeclaredTrust = z.output<typeof trust>
export type DeclaredAgent = z.output<typeof agent>
export type DeclaredGroup = z.output<typeof group>
export type DeclaredResource = z.output<typeof resource>
export type RecordingPolicy = z.output<typeof recording>
export type DeclaredSet = z.output<typeof guardSet> | z.output<typeof maskSet>
export type DeclaredRecording = z.output<typeof recordingSet>
export type DeclaredToken = z.output<typeof token>

export const usualRecording: RecordingPolicy = recording.parse({})

/** Nobody signs in. */
export const noIdentity: DeclaredIdentity = identity.parse({})

/** Before anything was applied the first administrator comes by their link. */
export const bootstrapIdentity: DeclaredIdentity = identity.parse({ local: {} })

/** What is in force before anything was applied: administrators, and nothing else. */
export const bootstrapSettings: DeclaredSettings = settings.parse({ administrators: 'tidegate-admins' })
