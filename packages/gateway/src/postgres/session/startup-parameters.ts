/**
 * What a client may say of its session before it begins. The rest is refused by name: startup parameters are settings
 * of the session that no guard sees, and they override what the target's role was given. `search_path` would choose
 * which table a name means, `options` is any setting in disguise, `session_preload_libraries` loads code.
 */

import { protocol } from '../wire/startup.ts'

type Rule = (value: string) => boolean

const anyValue: Rule = (value) => value.length <= 256

/** Settings of how values are written, and names. Passed on as they are; their values are the target's to judge. */
const passedOn: Readonly<Record<string, Rule>> = {
  application_name: anyValue,
  datestyle: anyValue,
  intervalstyle: anyValue,
  timezone: anyValue,
  extra_float_digits: (value) => /^-?\d{1,2}$/.test(value),
}

/** Read here, and not passed on as they are. */
const readHere: Readonly<Record<string, Rule>> = {
  user: (value) => value.length > 0 && value.length <= 256,
  database: (value) => value.length <= 256,
  // One that has nothing to say is no reason to send anyone away.
  options: (value) => value.trim() === '',
  replication: (value) => /^(?:false|off|no|0)$/i.test(value),
  // What guards and recordings read is UTF-8. `SQL_ASCII` is what a client says that knows no better.
  client_encoding: (value) => /^'?(?:utf-?8|unicode|sql_ascii)'?$/i.test(value),
}

const reasons: Readonly<Record<string, string>> = {
  replication: 'replication does not go through Tidegate',
  client_encoding: 'the client encoding must be UTF8; set PGCLIENTENCODING=UTF8',
  options: 'the startup parameter "options" is not taken: set what is needed once you are connected',
}

export type StartupChoice =
  | {
      readonly outcome: 'taken'
      readonly user: string
      readonly database: string
      /** 3.0 or 3.2, as in a StartupMessage. */
      readonly version: number
      /** To be told in a NegotiateProtocolVersion, if there are any or the version is not the one asked for. */
      readonly unknownOptions: readonly string[]
      readonly isNegotiated: boolean
      readonly forTarget: ReadonlyMap<string, string>
    }
  | { readonly outcome: 'refused'; readonly reason: string }

/** Names of settings are not case-sensitive, those of the protocol's own parameters are. */
const ruleOf = (name: string): Rule | undefined =>
  Object.hasOwn(readHere, name) ? readHere[name] : own(passedOn, name.toLowerCase())

const own = (rules: Readonly<Record<string, Rule>>, name: string): Rule | undefined =>
  Object.hasOwn(rules, name) ? rules[name] : undefined

export function chooseStartup(asked: number, parameters: ReadonlyMap<string, string>): StartupChoice {
  const unknownOptions = [...parameters.keys()].filter((name) => name.startsWith('_pq_.'))
  const others = [...parameters].filter(([name]) => !name.startsWith('_pq_.'))
  const wrong = others.find(([name, value]) => ruleOf(name)?.(value) !== true)
  if (wrong !== undefined) return { outcome: 'refused', reason: refusalOf(wrong) }
  const user = parameters.get('user')
  if (user === undefined) return { outcome: 'refused', reason: 'no user name was given' }
  const version = asked >= protocol.v32 ? protocol.v32 : protocol.v30
  const forTarget = others.filter(([name]) => !Object.hasOwn(readHere, name))
  return {
    outcome: 'taken',
    user,
    database: parameters.get('database') || user,
    version,
    unknownOptions,
    isNegotiated: version !== asked || unknownOptions.length > 0,
    forTarget: new Map([...forTarget, ['client_encoding', 'UTF8']]),
  }
}

function refusalOf([name, value]: readonly [string, string]): string {
  const known = Object.hasOwn(reasons, name) ? reasons[name] : undefined
  if (known !== undefined) return known
  const shown = name.slice(0, 64)
  return ruleOf(name) === undefined
    ? `the startup parameter "${shown}" is not taken`
    : `the startup parameter "${shown}" has a value that is not taken${value === '' ? ': it is empty' : ''}`
}
