/** The composition root: what is made from what, in which order it starts, and in which it stops. */

import type { AddressInfo } from 'node:net'
import type { Server as TlsServer } from 'node:tls'
import { connectorKinds } from '@tidegate/connectors'
import { after } from '@tidegate/core'
import type { Millis } from '@tidegate/core'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { createConfigurations } from './configuration/configurations.ts'
import type { SessionRules } from './configuration/session-rules.ts'
import { keepEngineSteady } from './engine.ts'
import type { Feed } from './gateways/feed.ts'
import { createFeed } from './gateways/feed.ts'
import { inviteGateway } from './gateways/invitations.ts'
import { gatewayServerLimits } from './gateways/limits.ts'
import type { ViewWaiting } from './gateways/view-waiting.ts'
import { createViewWaiting, viewOfHint } from './gateways/view-waiting.ts'
import { createApp } from './http/app.ts'
import type { Certificate } from './http/certificate.ts'
import { createRenewal, readCertificate } from './http/certificate.ts'
import { closingOf } from './http/closing.ts'
import { createIdentity } from './identity/create-identity.ts'
import { createHashing } from './identity/local/hashing.ts'
import { areToBeGiven, takeFirstWaysIn } from './identity/first-ways-in.ts'
import { invitationUrl } from './identity/local/invitations.ts'
import { localLimits } from './identity/local/limits.ts'
import { createProviders } from './identity/people/provider.ts'
import { createIssuerKeys } from './identity/services/issuer-keys.ts'
import { findPrincipals } from './identity/principals.ts'
import { openInstallation } from './installation.ts'
import { placingBy } from './log/placing.ts'
import { createSequencer, sequencerBatch } from './log/sequencer.ts'
import { createSigning } from './log/signing.ts'
import { createCourier } from './notify/deliver.ts'
import type { Notifier } from './notify/notifier.ts'
import { createNotifier } from './notify/notifier.ts'
import type { Services } from './operations/handler.ts'
import { reconcilerLimits } from './reconciler/limits.ts'
import { createLoop, everySoOften } from './reconciler/loop.ts'
import type { Loop } from './reconciler/loop.ts'
import { createReconciler } from './reconciler/reconciler.ts'
import type { Reconciler } from './reconciler/reconciler.ts'
import type { Runtime } from './runtime.ts'
import { systemRuntime } from './runtime.ts'
import type { MasterKey } from './secrets/keys.ts'
import { createMasterKey } from './secrets/keys.ts'
import { keyLimits } from './secrets/limits.ts'
import { loadKeys } from './secrets/master-key.ts'
import { reseal } from './secrets/reseal.ts'
import type { Env, Settings } from './settings/settings.ts'
import type { Database } from './store/database.ts'
import { createDatabase, createPool } from './store/database.ts'
import type { Hint, Wake } from './store/change.ts'
import { change } from './store/change.ts'
import type { Hints } from './store/hints.ts'
import { listenForHints } from './store/hints.ts'
import { migrate } from './store/migrate.ts'
import type { OpenStore } from './store/open-store.ts'
import { openStore, orClosed } from './store/open-store.ts'
import { targetLimits } from './targets/limits.ts'
import { createTargets } from './targets/targets.ts'
import { version } from './version.ts'

/** How long the sequencer waits for more entries before it makes a checkpoint of those that are there. */
const gatherEntries = 100 as Millis

export type ServerOptions = {
  readonly settings: Settings
  /** Where `env:` references of the configuration are read. */
  readonly env: Env
  readonly logger: Logger
  readonly runtime?: Runtime
  /** Checks what roles say of sessions, in the words of whoever acts on it. Absent: roles say nothing of them. */
  readonly sessionRules?: SessionRules
  /** `false`: nothing happens by the clock or by hints until `drain` is called. Absent: it does. */
  readonly background?: boolean
}

export type RunningServer = {
  readonly url: string
  /** Of the audit log, as it was at the start: what verifiers need. */
  readonly verifierKey: string
  /** Only at the first start on a store that came to listen. */
  readonly firstToken?: string
  /** By which the first administrator makes an account, once. */
  readonly firstLink?: string
  /** Takes no new work, finishes what is under way, lets go of everything. */
  readonly stop: () => Promise<void>
  /** Resolves, with what to tell people, when the server cannot go on and has to be started anew. */
  readonly lost: Promise<string>
  /** Sees to everything that is due by the clock, the log included, and returns. */
  readonly drain: () => Promise<void>
  /** For a gateway in the same process: as `createGateway`, by nobody in particular. */
  readonly inviteGateway: (id: string) => Promise<{ readonly enrolmentToken: string }>
}

/**
 * @throws {StartRefusal} for what must not start as it is configured
 * @throws {EmbeddedError} `gone` where its own PostgreSQL went away before it had started, and those of that one's start
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  keepEngineSteady()
  const store = await openStore(options.settings, options.logger)
  return orClosed(store, () => startOnStore(options, store))
}

async function startOnStore(options: ServerOptions, store: OpenStore): Promise<RunningServer> {
  const made = await make(options, store)
  const { app, present, services, feed, views, reconciler, sequencing, notifier, keys } = made
  const { settings, logger } = options
  present.url = () => urlOf(app, settings)
  const closeApp = closingOf(app)
  const isFirst = await areToBeGiven(services)
  await app.listen({ host: settings.listen.host, port: settings.listen.port })
  const hearing = { now: services.runtime.now, reconciler, sequencing, notifier, feed, views }
  const inBackground = options.background !== false
  if (inBackground) present.heard = (hint) => hear(hint, hearing)
  const background = { ...hearing, keys, key: services.key, url: store.secretUrl, logger }
  const hints = inBackground ? startBackground(background) : undefined
  const stopping = (): void => {
    present.isReady = false
    // Who waits for news would keep the server from its end.
    feed.stop()
    views.stop()
  }
  return {
    url: present.url(),
    verifierKey: made.verifierKey,
    stop: stopper({ ...made, closeApp, hints, store, stopping }),
    drain: drainer(made),
    lost: store.lost.then(({ message }) => message),
    inviteGateway: (id) => inviteOne(services, id),
    ...(isFirst && (await firstWaysIn(services))),
  }
}

/** What changes of a server between its making and its end. */
type Present = { isReady: boolean; heard: Wake; url: () => string }

/** Everything that a server consists of. Nothing of it has begun to work by itself. */
async function make(options: ServerOptions, store: OpenStore) {
  const { settings, logger, env, runtime = systemRuntime, sessionRules } = options
  const key = createMasterKey(await loadKeys(settings.key))
  await migrate(store.secretUrl)
  const { db, workDb, closingDb, gatewayDb } = openDatabases({ url: store.secretUrl, settings, logger })
  const { verifierKey } = await openInstallation({ db, runtime, key })
  tellOfOlderKey(key, logger)
  const configurations = createConfigurations(connectorKinds, sessionRules)
  const secrets = { env, secretsDir: settings.secretsDir }
  const targets = createTargets({ runtime, secrets })
  const courier = createCourier({ runtime, secrets })
  const placing = placingBy(createSequencer({ db, runtime, signing: createSigning(key) }))
  const { integrate } = placing
  const name = Buffer.from(runtime.random(8)).toString('hex')
  const feed = createFeed({ db: gatewayDb, configurations, name, now: runtime.now })
  const views = createViewWaiting()
  // Gateways that wait are told whatever this process does, in the background or not.
  const heard: Wake = (hint) => hearOfGateways(hint, { feed, views })
  const present: Present = { isReady: true, heard, url: () => '' }
  const services: Services = {
    db,
    workDb,
    runtime,
    wake: (hint) => present.heard(hint),
    configurations,
    findPrincipals,
    targets,
    kinds: connectorKinds,
    key,
    publicUrl: () => settings.publicUrl ?? present.url(),
    gateways: { key, feed, views, db: gatewayDb },
    ...(sessionRules && { sessionRules }),
    sweepEvery: settings.sweepEvery,
    courier,
    log: { integrate },
  }
  const reconciler = createReconciler({ ...services, workDb: closingDb, reaskEvery: settings.reaskEvery, log: logger })
  const sequencing = sequencingLoop(integrate, runtime, logger)
  const notifier = createNotifier({ ...services, name, log: logger })
  placing.whenDone(() => notifier.expect(runtime.now()))
  const certificate = settings.tls && (await readCertificate(settings.tls))
  const app = await openApp(options, { services, gatewayDb, key, certificate, isReady: () => present.isReady })
  const renew = renewalOf(app, { settings, certificate, logger })
  const keepKeys = async (): Promise<void> => {
    await renew?.()
    await reseal({ db, runtime, key, log: logger })
  }
  const keys = keysLoop(keepKeys, runtime, logger)
  const databases = [db, workDb, closingDb, gatewayDb]
  const loops = { reconciler, sequencing, notifier, keys }
  return { app, verifierKey, present, services, databases, targets, feed, views, integrate, keepKeys, ...loops }
}

type Serving = {
  readonly services: Services
  readonly gatewayDb: Database
  readonly key: MasterKey
  readonly certificate: Certificate | undefined
  readonly isReady: () => boolean
}

async function openApp(
  { settings, env, logger }: ServerOptions,
  { services, gatewayDb, key, certificate, isReady }: Serving,
): Promise<FastifyInstance> {
  const secrets = { env, secretsDir: settings.secretsDir }
  const providers = createProviders({ runtime: services.runtime, secrets })
  const issuerKeys = createIssuerKeys({ runtime: services.runtime, secrets })
  const hashing = createHashing(localLimits.hashes)
  const people = { ...services, gatewayDb, key, providers, issuerKeys, hashing }
  const app = createApp({
    services,
    identity: createIdentity(people),
    people,
    logger,
    version,
    metricsToken: settings.metricsToken,
    proxies: settings.proxies,
    isReady,
    ...(certificate && { tls: certificate }),
  })
  return app
}

type Drained = {
  readonly reconciler: Reconciler
  readonly notifier: Notifier
  readonly integrate: () => Promise<number>
  readonly keepKeys: () => Promise<void>
}

const drainer =
  ({ reconciler, notifier, integrate, keepKeys }: Drained): RunningServer['drain'] =>
  async () => {
    await reconciler.drain()
    await keepKeys()
    while ((await integrate()) > 0);
    await notifier.drain()
    while ((await integrate()) > 0);
  }

async function inviteOne(services: Services, id: string): Promise<{ enrolmentToken: string }> {
  const { enrolmentToken } = await change(services, (unit) => inviteGateway(unit, { id }))
  return { enrolmentToken }
}

type Connecting = { readonly url: string; readonly settings: Settings; readonly logger: Logger }

function openDatabases({
  url,
  settings,
  logger,
}: Connecting): Record<'db' | 'workDb' | 'closingDb' | 'gatewayDb', Database> {
  const connect = (maxConnections: number): Database =>
    createDatabase(
      createPool({ url, connectTimeoutMs: 10_000, statementTimeoutMs: 30_000, maxConnections, log: logger }),
    )
  return {
    db: connect(settings.maxConnections),
    workDb: connect(targetLimits.atOnce),
    // What takes access away has connections of its own: it never waits behind what gives it.
    closingDb: connect(reconcilerLimits.workers),
    // Nor does what tells gateways of it.
    gatewayDb: connect(gatewayServerLimits.connections),
  }
}

type Background = Hearing & {
  readonly keys: Loop
  readonly key: MasterKey
  readonly url: string
  readonly logger: Logger
}

function startBackground({ url, logger, keys, key, ...hearing }: Background): Hints {
  hearing.reconciler.start()
  hearing.sequencing.start()
  hearing.notifier.start()
  keys.start()
  const ids = key.keys.map(({ id }) => id)
  return listenForHints({ url, log: logger, keys: ids, heard: (hint) => hear(hint, hearing) })
}

/** What is printed at the first start. */
async function firstWaysIn(services: Services): Promise<Pick<RunningServer, 'firstToken' | 'firstLink'>> {
  const given = await takeFirstWaysIn(services)
  if (!given) return {}
  return { firstToken: given.token, firstLink: invitationUrl(services.publicUrl(), given.invitation) }
}

function sequencingLoop(integrate: () => Promise<number>, { now }: Runtime, log: Logger): Loop {
  return createLoop({
    async pass() {
      while ((await integrate()) === sequencerBatch);
    },
    nextAt: async () => undefined,
    longestWaitMs: 1_000,
    now,
    failed: (error) => log.error({ err: error }, 'the log could not be integrated'),
  })
}

type Hearing = {
  readonly now: Runtime['now']
  readonly reconciler: Reconciler
  readonly sequencing: Loop
  readonly notifier: Notifier
} & HearingOfGateways

type HearingOfGateways = { readonly feed: Feed; readonly views: ViewWaiting }

function hearOfGateways(hint: Hint | undefined, { feed, views }: HearingOfGateways): void {
  if (hint === undefined) feed.look()
  if (hint?.to !== 'gateways') return
  const view = viewOfHint(hint.about)
  if (view === undefined) feed.tell(hint.about, hint.over)
  views.tell(view ?? hint.about)
}

/** Without a hint: some may have been missed, so everything is looked at. */
function hear(hint: Hint | undefined, { now, reconciler, sequencing, ...gateways }: Hearing): void {
  hearOfGateways(hint, gateways)
  if (hint?.to === 'gateways') return
  if (hint === undefined || hint.to === 'due') reconciler.expect('due', hint?.at ?? now())
  if (hint === undefined || hint.to === 'targets') reconciler.expect('targets', hint?.at ?? now())
  // Entries come in crowds: a little later, one batch takes them all.
  if (hint === undefined || hint.to === 'entries') sequencing.expect(after(hint?.at ?? now(), gatherEntries))
}

type Certified = Pick<ServerOptions, 'settings' | 'logger'> & { readonly certificate: Certificate | undefined }

/** Absent: the server speaks plain HTTP. */
function renewalOf(
  app: FastifyInstance,
  { settings: { tls: files }, certificate: now, logger: log }: Certified,
): (() => Promise<void>) | undefined {
  if (!files || !now) return undefined
  // With a certificate, that is what it was made as.
  return createRenewal(app.server as unknown as TlsServer, { files, now, log })
}

const keysLoop = (work: () => Promise<void>, { now }: Runtime, log: Logger): Loop =>
  everySoOften({
    every: keyLimits.every,
    work,
    now,
    failed: (error) => log.error({ err: error }, 'what is sealed could not be sealed anew'),
  })

/** As after a restart with what was there before the change: nothing is wrong, and nothing goes back. */
function tellOfOlderKey({ keys: [first], sealing }: MasterKey, log: Logger): void {
  const { id } = sealing()
  if (id !== first.id)
    log.warn(`The master key ${first.id}, given first, is older than the store’s: ${id} seals. Put that one first.`)
}

function urlOf(app: FastifyInstance, { tls, listen }: Settings): string {
  const { port } = app.server.address() as AddressInfo
  const host = listen.host.includes(':') ? `[${listen.host}]` : listen.host
  return `${tls ? 'https' : 'http'}://${host}:${port}`
}

type Running = {
  readonly closeApp: () => Promise<void>
  readonly hints: Hints | undefined
  readonly reconciler: Reconciler
  readonly sequencing: Loop
  readonly notifier: Notifier
  readonly keys: Loop
  readonly targets: { readonly end: () => Promise<void> }
  readonly store: OpenStore
  readonly databases: readonly { readonly destroy: () => Promise<void> }[]
  readonly stopping: () => void
}

/** In the order of the arrows: first whoever brings work, last what everything stands on. Twice is once. */
function stopper({
  closeApp,
  hints,
  reconciler,
  sequencing,
  notifier,
  keys,
  targets,
  store,
  databases,
  stopping,
}: Running): () => Promise<void> {
  let stopped: Promise<void> | undefined
  const stop = async (): Promise<void> => {
    stopping()
    await closeApp()
    await hints?.stop()
    await reconciler.stop()
    await sequencing.stop()
    await notifier.stop()
    await keys.stop()
    await targets.end()
    for (const database of databases) await database.destroy()
    await store.close()
  }
  return () => (stopped ??= stop())
}
