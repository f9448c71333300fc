/** Every error the API answers with. `docs/reference/errors.md` is kept in step by a test. */

export type ErrorEntry = {
  readonly status: number
  /** Short and the same for every occurrence. */
  readonly title: string
  /** What to do about it, for whoever called. */
  readonly remedy: string
}

export const errors = {
  'invalid-input': {
    status: 400,
    title: 'The input is not valid.',
    remedy: 'Correct the fields named in `problems`.',
  },
  'not-json': {
    status: 400,
    title: 'The body is not JSON.',
    remedy: 'Send a JSON object with `Content-Type: application/json`.',
  },
  'body-too-large': {
    status: 413,
    title: 'The body is too large.',
    remedy: 'Send less; the limit is in `detail`.',
  },
  unauthenticated: {
    status: 401,
    title: 'The caller is not known.',
    remedy: 'Send a valid token as `Authorization: Bearer …`; it may have expired or been revoked.',
  },
  'step-up-needed': {
    status: 401,
    title: 'A stronger or fresher sign-in is needed.',
    remedy:
      'Do what `detail` says: in a browser at `/step-up` of the server, on the command line with `tidegate step-up`. Then call again. Other clients send people to the authorization endpoint with the `acr_values` and `max_age` of `WWW-Authenticate`.',
  },
  forbidden: {
    status: 403,
    title: 'The caller may not do this.',
    remedy: 'Ask someone who may; `detail` says who.',
  },
  'not-found': {
    status: 404,
    title: 'There is no such thing.',
    remedy: 'Check the id; what the caller may not see is not found either.',
  },
  'unknown-role': {
    status: 404,
    title: 'There is no such role.',
    remedy: 'Write it as RESOURCE/ROLE; `tidegate resources` lists what there is.',
  },
  'own-request': {
    status: 403,
    title: 'No one answers what they have asked for themselves.',
    remedy: 'Ask another approver.',
  },
  'not-an-approver': {
    status: 403,
    title: 'The caller is not an approver of it now.',
    remedy: 'A request names who can answer at its present stage, a statement in `approvers`.',
  },
  'already-answered': {
    status: 409,
    title: 'The caller has answered this request already.',
    remedy: 'Nothing to do: each person counts once.',
  },
  'request-settled': {
    status: 409,
    title: 'The request is settled.',
    remedy: 'File a new request if access is still needed.',
  },
  'request-changed': {
    status: 409,
    title: 'The request has changed since it was looked at.',
    remedy: 'Look at it again, and answer for the version it has now.',
  },
  'policy-refuses': {
    status: 409,
    title: 'Policy says no, now.',
    remedy: 'The decision in `decision` names what would make it a yes.',
  },
  'grant-ended': {
    status: 409,
    title: 'The grant has ended.',
    remedy: 'Request access again.',
  },
  'grant-not-started': {
    status: 409,
    title: 'The grant has not started.',
    remedy: 'Activate it from its start time on.',
  },
  'grant-lapsed': {
    status: 409,
    title: 'The grant was not activated in time.',
    remedy: 'Request access again.',
  },
  'grant-busy': {
    status: 409,
    title: 'The grant is being opened or closed.',
    remedy: 'Try again in a moment.',
  },
  'target-unavailable': {
    status: 503,
    title: 'The target could not be opened.',
    remedy:
      '`detail` says why. Where the resource waits for its target, activate again later; otherwise request again.',
  },
  'no-gateway': {
    status: 503,
    title: 'No gateway of the resource is connected.',
    remedy: 'Nothing was opened, and no time was used. Activate again once `tidegate gateway` runs for the resource.',
  },
  'too-many': {
    status: 429,
    title: 'Too many calls of this kind, from one address, by one caller or altogether.',
    remedy: 'Wait for as long as `Retry-After` says, in seconds, and try again.',
  },
  'recording-away': {
    status: 503,
    title: 'The gateway that has the recording is not connected.',
    remedy: 'Recordings stay where they were made. Start that gateway, or read them on its machine.',
  },
  'too-many-views': {
    status: 429,
    title: 'Too many recordings are being looked at.',
    remedy: 'Close one, or wait until those that nobody looks at any more are closed, which takes a minute.',
  },
  'session-open': {
    status: 409,
    title: 'The session goes on.',
    remedy: 'End it first; its recording is deleted as a whole or not at all.',
  },
  'statement-settled': {
    status: 409,
    title: 'The statement does not wait any more.',
    remedy: 'The answer had no effect; `detail` says what became of the statement.',
  },
  'key-change-under-way': {
    status: 409,
    title: 'The log is changing its key already.',
    remedy: 'The change is done with the next checkpoint, within a second or so. Look with `tidegate keys`.',
  },
  'secret-limit': {
    status: 409,
    title: 'The service has two secrets that are good.',
    remedy: 'Revoke one: `tidegate services secrets SERVICE` lists them. Two are for changing from one to the other.',
  },
  'statement-limit': {
    status: 429,
    title: 'Too many statements of this grant have been asked about.',
    remedy: 'Wait some minutes, or ask for a role whose statements need no approval of their own.',
  },
  'break-glass-refused': {
    status: 403,
    title: 'Glass is not broken here and now.',
    remedy: '`detail` says why, and what to do instead. That it was tried is in the log.',
  },
  'own-review': {
    status: 403,
    title: 'No one reviews their own use of break-glass.',
    remedy: 'Ask another reviewer.',
  },
  'review-closed': {
    status: 409,
    title: 'The review is closed.',
    remedy: 'Nothing to do: it is closed once.',
  },
  'change-stale': {
    status: 409,
    title: 'The configuration has changed since.',
    remedy: 'Plan again on the present version, and apply that.',
  },
  'change-settled': {
    status: 409,
    title: 'The change is settled.',
    remedy: 'Apply the files again to make a new change.',
  },
  'second-person-needed': {
    status: 403,
    title: 'A change is approved by someone other than its author.',
    remedy: 'Ask another administrator.',
  },
  'no-local-accounts': {
    status: 409,
    title: 'The configuration has no local accounts.',
    remedy: 'Write `local: {}` under `identity`, or let the person sign in at a provider.',
  },
  'idempotency-mismatch': {
    status: 422,
    title: 'The idempotency key was used for something else.',
    remedy: 'Use a new key for a new request.',
  },
  unavailable: {
    status: 503,
    title: 'The store cannot be reached.',
    remedy: 'Nothing was changed, or it was changed whole. Try again; repeat a creation with the same idempotency key.',
  },
  internal: {
    status: 500,
    title: 'Something went wrong in Tidegate.',
    remedy: 'The server log has the details under the id in `detail`.',
  },
} as const satisfies Record<string, ErrorEntry>

export type ErrorCode = keyof typeof errors

/** One thing wrong with an input: where, what, and what to do. */
export type FieldProblem = {
  /** `duration`, `resources[0].roles[1].name`, or a file position `policies.cedar:12:3`. */
  readonly field: string
  readonly message: string
  readonly remedy?: string
}

/** RFC 9457, with our members. */
export type Problem = {
  readonly type: `urn:tidegate:error:${ErrorCode}`
  readonly code: ErrorCode
  readonly status: number
  readonly title: string
  readonly remedy: string
  readonly detail?: string
  readonly problems?: readonly FieldProblem[]
  /** With `policy-refuses` and `step-up-needed`: the whole answer. */
  readonly decision?: unknown
}

type Details = {
  readonly detail?: string
  readonly problems?: readonly FieldProblem[]
  readonly decision?: unknown
  /** With `step-up-needed` where no policy asked: goes into the header `WWW-Authenticate`. */
  readonly need?: 'mfa' | 'phishing-resistant'
  /** With `too-many`: goes into the header `Retry-After`. */
  readonly retryAfterSeconds?: number
  readonly cause?: unknown
}

/** A refusal at the edge. Thrown by operations, and by the client when the server answers with one. */
export class ApiError extends Error {
  readonly code: ErrorCode
  readonly details: Details

  constructor(code: ErrorCode, details: Details = {}) {
    super(details.detail ?? errors[code].title, { cause: details.cause })
    this.name = 'ApiError'
    this.code = code
    this.details = details
  }
}

export function toProblem(error: ApiError): Problem {
  const { status, title, remedy } = errors[error.code]
  const { detail, problems, decision } = error.details
  return {
    type: `urn:tidegate:error:${error.code}`,
    code: error.code,
    status,
    title,
    remedy,
    ...(detail !== undefined && { detail }),
    ...(problems !== undefined && { problems }),
    ...(decision !== undefined && { decision }),
  }
}

export const isErrorCode = (code: unknown): code is ErrorCode => typeof code === 'string' && Object.hasOwn(errors, code)
