/** A gateway does not start like this. Says why and what to do; for people, no stack trace wanted. */
export class GatewayRefusal extends Error {
  readonly remedy: string

  constructor(message: string, remedy: string) {
    super(message)
    this.name = 'GatewayRefusal'
    this.remedy = remedy
  }
}
