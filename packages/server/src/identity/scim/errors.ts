/** Refusals as SCIM writes them: RFC 7644, section 3.12. */

/** Its words for what was wrong, with the status of each. */
const statusOf = {
  invalidFilter: 400,
  invalidPath: 400,
  invalidSyntax: 400,
  invalidValue: 400,
  mutability: 400,
  noTarget: 400,
  tooMany: 400,
  uniqueness: 409,
} as const

export type ScimType = keyof typeof statusOf

type About = { readonly status: number; readonly scimType?: ScimType; readonly detail: string }

export class ScimError extends Error {
  readonly status: number
  readonly scimType: ScimType | undefined

  constructor({ status, scimType, detail }: About) {
    super(detail)
    this.name = 'ScimError'
    this.status = status
    this.scimType = scimType
  }
}

export const refusal = (scimType: ScimType, detail: string): ScimError =>
  new ScimError({ status: statusOf[scimType], scimType, detail })

export const notFound = (): ScimError =>
  new ScimError({ status: 404, detail: 'This source has no such resource. It may have been deleted.' })

export const errorSchema = 'urn:ietf:params:scim:api:messages:2.0:Error'

export const toScim = ({ status, scimType, message }: ScimError): object => ({
  schemas: [errorSchema],
  status: String(status),
  ...(scimType !== undefined && { scimType }),
  detail: message,
})
