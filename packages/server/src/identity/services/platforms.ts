/**
 * What platforms say of a workload in the tokens they give it: which claims are ids that are never given to another,
 * which are names that can be, and which say what run it is. One row each.
 */

export type Platform = {
  readonly about: string
  /** Issuers that are this platform, whatever a configuration calls them. Absent: any may be. */
  readonly issuers?: RegExp
  /** A rule names at least one claim of these. */
  readonly ids: RegExp
  /** `ids`, in words. */
  readonly idWords: string
  /** Names that whoever comes later may be given, or that a workload chooses for itself, and what to write instead. */
  readonly names: Readonly<Record<string, string>>
  /** What a value has to look like. */
  readonly forms?: Readonly<Record<string, RegExp>>
  /** The claims that together say which run it is. Empty: nothing does. */
  readonly run: readonly string[]
}

const peopleNames = {
  email: 'sub',
  name: 'sub',
  preferred_username: 'sub',
  upn: 'oid',
}

const githubNames = {
  sub: 'repository_id and environment',
  repository: 'repository_id',
  repository_owner: 'repository_owner_id, beside repository_id',
  actor: 'actor_id',
  triggering_actor: 'actor_id',
  workflow: 'workflow_ref',
  job_workflow_ref: 'job_workflow_sha',
  head_ref: 'ref',
  base_ref: 'ref',
}

const gitlabNames = {
  sub: 'project_id and environment',
  project_path: 'project_id',
  namespace_path: 'namespace_id',
  user_login: 'user_id',
  user_email: 'user_id',
  ci_config_ref_uri: 'ci_config_sha',
}

export const platforms = {
  'github-actions': {
    about: 'GitHub Actions',
    issuers: /^https:\/\/token\.actions\.githubusercontent\.com(\/|$)|^https:\/\/[^/]+\/_services\/token$/,
    ids: /^repository_id$/,
    idWords: 'repository_id',
    names: githubNames,
    forms: { repository_id: /^\d{1,20}$/, repository_owner_id: /^\d{1,20}$/, actor_id: /^\d{1,20}$/ },
    run: ['run_id', 'run_attempt'],
  },
  gitlab: {
    about: 'GitLab CI/CD',
    issuers: /^https:\/\/gitlab\.com$/,
    ids: /^project_id$/,
    idWords: 'project_id',
    names: gitlabNames,
    forms: { project_id: /^\d{1,20}$/, namespace_id: /^\d{1,20}$/, user_id: /^\d{1,20}$/ },
    run: ['pipeline_id'],
  },
  kubernetes: {
    about: 'a Kubernetes cluster',
    ids: /^sub$/,
    idWords: 'sub',
    names: { '/kubernetes.io/pod/name': '/kubernetes.io/pod/uid' },
    forms: { sub: /^system:serviceaccount:[a-z0-9-]{1,63}:[a-z0-9.-]{1,253}$/ },
    run: ['/kubernetes.io/pod/uid'],
  },
  spiffe: {
    about: 'a SPIFFE trust domain',
    ids: /^sub$/,
    idWords: 'sub',
    names: {},
    forms: { sub: /^spiffe:\/\/[a-z0-9._-]{1,255}(\/[A-Za-z0-9._-]+)+$/ },
    run: [],
  },
  other: {
    about: 'any other issuer',
    ids: /^(sub|oid|.*_id|.*\/u?id)$/,
    idWords: 'sub, or a claim that is called …_id',
    names: { ...peopleNames, repository: 'repository_id', project_path: 'project_id' },
    run: [],
  },
} as const satisfies Record<string, Platform>

export type PlatformName = keyof typeof platforms

export const platformNames = Object.keys(platforms) as [PlatformName, ...PlatformName[]]

export const platformOf = (name: PlatformName): Platform => platforms[name]

export type Claims = Readonly<Record<string, unknown>>

/** @param name of a claim, or where it begins with `/` a JSON pointer (RFC 6901) into the claims */
export function claimAt(claims: Claims, name: string): unknown {
  if (!name.startsWith('/')) return Object.hasOwn(claims, name) ? claims[name] : undefined
  const parts = name
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
  return parts.reduce<unknown>((value, part) => {
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject && Object.hasOwn(value, part) ? (value as Claims)[part] : undefined
  }, claims)
}

/** A claim as configuration writes it. Lists and objects are no value to be equal to. */
export function claimText(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  return typeof value === 'boolean' || Number.isSafeInteger(value) ? String(value) : undefined
}

/** Which run it is; `undefined`: the token does not say. */
export function runOf(platform: Platform, claims: Claims): string | undefined {
  const parts = platform.run.map((name) => claimText(claimAt(claims, name)))
  const isWhole = parts.length > 0 && parts.every((part) => part !== undefined && /^[\w.-]{1,100}$/.test(part))
  return isWhole ? parts.join('/') : undefined
}
