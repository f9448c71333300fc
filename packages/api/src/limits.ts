/** The bounds of the API, in one place: the server enforces them, clients and docs show them. */

export const limits = {
  bodyBytes: 4 * 1024 * 1024,
  reasonLength: 2_000,
  commentLength: 2_000,
  ticketLength: 200,
  taskLength: 200,
  subjectLength: 500,
  idLength: 128,
  pageSizeDefault: 50,
  pageSizeMax: 500,
  idempotencyKeyLength: 128,
  idempotencyKeyDays: 7,
  configFiles: 2_000,
  /** Lists and objects within one another, in one YAML file. */
  configDepth: 50,
  shortestGrantSeconds: 1,
} as const
