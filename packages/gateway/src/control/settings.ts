/** What a gateway is started with, and what of it contradicts itself. */

import { X509Certificate } from 'node:crypto'
import { BlockList, isIP } from 'node:net'
import { gatewayLimits } from '@tidegate/api'
import { createServerTls } from '../postgres/shell/tls.ts'
import type { Clock } from '../postgres/shell/clock.ts'
import type { Address } from './contract.ts'
import { GatewayRefusal } from './refusal.ts'

export type Log = (event: string, facts: Readonly<Record<string, unknown>>) => void

export type GatewayOptions = {
  /** Of the control plane. */
  readonly url: string
  /** Identity and recordings; made where it is not there, for this user alone. Of one gateway process at a time. */
  readonly dir: string
  /** Needed the first time. Later the identity in `dir` is used, and this is ignored with a line in the log. */
  readonly enrolmentToken?: string
  /** Port 0: a free one. */
  readonly listen: Place
  /** Where clients reach it, if that is not where it listens. */
  readonly advertise?: Place
  /**
   * PEM. Absent: only loopback addresses may be listened on, without TLS. `ca`: what clients trust; absent: public
   * authorities.
   */
  readonly tls?: { readonly key: string; readonly cert: string; readonly ca?: string }
  /** New sessions are refused when no server has answered for so long. */
  readonly openWithoutServerMs?: number
  /** Processes that share the work, where one processor is not enough. Absent: this one does it. */
  readonly workers?: number
  /** Never given a secret. */
  readonly log: Log
  /** Of this process alone: with workers, only for signing in. */
  readonly fetch?: typeof fetch
  readonly clock?: Clock
}

type Place = { readonly host: string; readonly port: number }

type Network = Pick<GatewayOptions, 'listen' | 'advertise' | 'tls'>

/** @throws GatewayRefusal */
export function checkSettings(options: GatewayOptions): void {
  const { openWithoutServerMs: bound, workers = 1 } = options
  if (!Number.isInteger(workers) || workers < 1 || workers > gatewayLimits.workers) {
    throw new GatewayRefusal(
      'setting',
      'The number of workers is not one that a gateway can have.',
      `Give a whole number from 1 to ${gatewayLimits.workers}, or leave it out for 1.`,
    )
  }
  if (bound !== undefined && !(Number.isFinite(bound) && bound > 0)) {
    throw new GatewayRefusal(
      'setting',
      'How long new sessions may open without a server is not a length of time.',
      'Give a number of milliseconds above 0, or leave it out.',
    )
  }
  checkNetwork(options)
}

/** Half-configured security does not start. @throws GatewayRefusal */
export function checkNetwork({ listen, advertise, tls }: Network): void {
  const host = (advertise ?? listen).host
  if (tls !== undefined) {
    checkCertificate(tls, host)
    return
  }
  for (const place of [listen, ...(advertise === undefined ? [] : [advertise])]) {
    if (isLoopback(place.host)) continue
    throw new GatewayRefusal(
      'setting',
      `Clients would reach ${place.host} without TLS.`,
      'Give a key and a certificate, or listen on 127.0.0.1 only.',
    )
  }
}

function checkCertificate(tls: NonNullable<Network['tls']>, host: string): void {
  if (anyHost.includes(host)) {
    throw new GatewayRefusal(
      'setting',
      `Clients cannot connect to ${host}.`,
      'Say where they reach this gateway (advertise): a name that its certificate has.',
    )
  }
  const certificate = readCertificate(tls)
  const named = isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host)
  if (named !== undefined) return
  throw new GatewayRefusal(
    'setting',
    `The certificate is not for ${host}, so no client that looks would connect.`,
    'Advertise a name that is among its subject alternative names, or have one made for this name.',
  )
}

function readCertificate(tls: NonNullable<Network['tls']>): X509Certificate {
  try {
    createServerTls(tls)
    if (tls.ca !== undefined) void new X509Certificate(tls.ca)
    return new X509Certificate(tls.cert)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new GatewayRefusal(
      'setting',
      `TLS cannot be served with this key and certificate: ${why}.`,
      'Give the private key, its certificate with those between it and the authority, and the authority, all as PEM.',
    )
  }
}

const anyHost = ['0.0.0.0', '::', '']

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

function isLoopback(host: string): boolean {
  const family = isIP(host)
  return family === 0 ? host === 'localhost' : loopback.check(host, family === 6 ? 'ipv6' : 'ipv4')
}

/** What clients are told of a gateway that listens on this port. */
export const addressOf = ({ listen, advertise, tls }: Network, port: number): Address => ({
  host: (advertise ?? listen).host,
  port: advertise?.port ?? port,
  tls: tls === undefined ? 'disable' : 'verify-full',
  ...(tls?.ca !== undefined && { ca: tls.ca }),
})
