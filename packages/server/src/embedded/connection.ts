export interface Connection {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
}

/** `postgres://…`, with the password. */
export function secretUrlOf({ host, port, user, password, database }: Connection): string {
  const [name, secret, path] = [user, password, database].map(encodeURIComponent)
  return `postgres://${name}:${secret}@${host}:${port}/${path}`
}
