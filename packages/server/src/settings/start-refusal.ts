/** Tidegate does not start like this. Says why and what to do; for people, no stack trace wanted. */
export class StartRefusal extends Error {
  readonly remedy: string

  constructor(message: string, remedy: string) {
    super(message)
    this.name = 'StartRefusal'
    this.remedy = remedy
  }
}
