/**
 * Where messages may be sent. Whoever writes configuration chooses it, and the server is inside the network: so nothing
 * without TLS but to this machine, and never to the addresses where clouds hand credentials to whoever asks from there.
 */

import { lookup as resolve } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { BlockList, isIP } from 'node:net'

const loopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

/** Says what is wrong with it; `undefined`: nothing. */
export function destinationProblem(text: string): string | undefined {
  if (!URL.canParse(text)) return 'This is no URL.'
  const { protocol, hostname, username, password, hash } = new URL(text)
  if (protocol !== 'https:' && !(protocol === 'http:' && loopback.test(hostname)))
    return 'Write https://…; without TLS messages go to this machine only.'
  if (`${username}${password}${hash}` !== '') return 'Write it without user, password and fragment.'
  return isRefused(unbracketed(hostname)) ? 'This is an address of the cloud’s own, or of one link.' : undefined
}

/** Paths and queries of webhooks are secrets more often than not. */
export const originOf = (url: string): string => new URL(url).origin

const refused = new BlockList()
refused.addSubnet('169.254.0.0', 16, 'ipv4')
refused.addSubnet('fe80::', 10, 'ipv6')
// Where AWS answers by IPv6, and Alibaba Cloud.
refused.addAddress('fd00:ec2::254', 'ipv6')
refused.addAddress('100.100.100.200', 'ipv4')

/** An IPv4 address within an IPv6 one is that address. Names are looked up first. */
export const isRefused = (address: string): boolean => {
  const family = isIP(address)
  return family !== 0 && refused.check(address, family === 6 ? 'ipv6' : 'ipv4')
}

const unbracketed = (hostname: string): string => hostname.replaceAll(/^\[|\]$/g, '')

const refusal = (): NodeJS.ErrnoException =>
  Object.assign(new Error('The name stands for an address that nothing is sent to.'), { code: 'ADDRESS_REFUSED' })

/** For connections: what is asked is what is connected to, so that a name cannot stand for something else in between. */
export const guardedLookup: LookupFunction = (hostname, options, callback) => {
  resolve(hostname, { ...options, all: true }, (error, addresses) => {
    if (error) return callback(error, '')
    const [first] = addresses
    if (!first || addresses.some(({ address }) => isRefused(address))) return callback(refusal(), '')
    if (options.all) callback(null, addresses)
    else callback(null, first.address, first.family)
  })
}
