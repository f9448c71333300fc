/**
 * What an opened grant leaves in the store, written by plain prepared statements in as many transactions: no reading,
 * no checking, no hashing, no waking of others. What Tidegate takes beyond it is what Tidegate's own code costs.
 */

import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { migrate } from '../packages/server/src/store/migrate.ts'
import type { Store } from './stand.ts'

/** A row as text, as the wire has it. */
type TextRow = Readonly<Record<string, string | null>>

/** All of one opened grant, read from Tidegate's own tables. */
type Template = {
  readonly request: TextRow
  readonly grant: TextRow
  /** In the order of their making: of the request, of the activation. */
  readonly decision: TextRow
  readonly entries: readonly TextRow[]
  readonly disclosures: readonly TextRow[]
}

export type Paperwork = {
  /** Writes the rows around the making of a login, as Tidegate does. */
  readonly open: <T>(makeLogin: () => Promise<T>) => Promise<T>
  readonly close: () => Promise<void>
}

const asText = { getTypeParser: () => (value: string) => value } as unknown as pg.CustomTypesConfig
/** The database gives these itself. */
const given = new Set(['serial', 'leaf_index'])

export async function createPaperwork(
  store: Store,
  like: { readonly request: string; readonly grant: string },
): Promise<Paperwork> {
  const template = await readTemplate(store.client, like)
  const url = await store.make('by_hand')
  await migrate(url)
  const client = new pg.Client({ connectionString: url, options: '-c search_path=tidegate' })
  await client.connect()
  await client.query(
    `insert into configuration_version values (${template.grant['configuration']}, '[]', 'none', now(), 'none')`,
  )
  return { open: (makeLogin) => write(client, template, makeLogin), close: () => client.end() }
}

async function readTemplate(client: pg.Client, like: { request: string; grant: string }): Promise<Template> {
  const read = async (text: string, value: string): Promise<TextRow[]> =>
    (await client.query<TextRow>({ text, values: [value], types: asText })).rows
  const [request] = await read('select * from access_request where id = $1', like.request)
  const [grant] = await read('select * from access_grant where id = $1', like.grant)
  const entries = await read('select * from audit_entry where request = $1 order by serial', like.request)
  const disclosures = await read(
    'select d.* from audit_disclosure d join audit_entry e on e.id = d.entry where e.request = $1',
    like.request,
  )
  const [decision] = await read('select * from decision where id = $1', request?.['decision'] ?? '')
  if (!request || !grant || !decision) throw new Error('The rows of an opened grant are not there.')
  return { request, grant, decision, entries, disclosures }
}

async function write<T>(client: pg.Client, template: Template, makeLogin: () => Promise<T>): Promise<T> {
  const mark = randomBytes(13).toString('hex')
  const renamed = (row: TextRow): TextRow =>
    Object.fromEntries(Object.entries(row).map(([name, value]) => [name, renamedId(value, mark)]))
  const request = renamed(template.request)
  const grant = renamed(template.grant)
  const written = (types: readonly string[]) => writeEntries(client, template, { types, renamed })
  await client.query('begin')
  await insert(client, 'decision', [renamed(template.decision)])
  await insert(client, 'access_request', [request])
  await insert(client, 'access_grant', [known(grant, { ...unopened, opened_at: null })])
  await update(client, known(grant, opening))
  await written(['request.filed', 'request.approved', 'grant.created', 'grant.opening'])
  await client.query('commit')
  await client.query('begin')
  const login = await makeLogin()
  await update(client, grant)
  await written(['grant.opened'])
  await client.query('commit')
  return login
}

const unopened = { state: 'ready', activated_at: null, expires_at: null, configuration: null, unsure_attempts: '0' }
const opening = { state: 'provisioning', opened_at: null }

const idForm = /^(req|grt|dec|ent)_[0-9a-z]{26}$/
const renamedId = (value: string | null, mark: string): string | null =>
  value !== null && idForm.test(value) ? `${value.slice(0, 4)}${mark}${value.slice(-6)}` : value

type Chosen = { readonly types: readonly string[]; readonly renamed: (row: TextRow) => TextRow }

async function writeEntries(client: pg.Client, template: Template, { types, renamed }: Chosen): Promise<void> {
  const entries = template.entries.filter((row) => types.includes(row['type'] ?? ''))
  const ids = new Set(entries.map((row) => row['id']))
  const disclosures = template.disclosures.filter((row) => ids.has(row['entry'] ?? ''))
  await insert(client, 'audit_entry', entries.map(renamed))
  if (disclosures.length > 0) await insert(client, 'audit_disclosure', disclosures.map(renamed))
}

async function insert(client: pg.Client, table: string, rows: readonly TextRow[]): Promise<void> {
  const columns = Object.keys(rows[0] ?? {}).filter((name) => !given.has(name))
  const places = rows.map((_, r) => `(${columns.map((_, c) => `$${r * columns.length + c + 1}`).join(', ')})`)
  await client.query({
    name: `insert-${table}-${rows.length}`,
    text: `insert into ${table} (${columns.join(', ')}) values ${places.join(', ')}`,
    values: rows.flatMap((row) => columns.map((name) => row[name])),
  })
}

/** With these values, of the columns that there are. */
const known = (row: TextRow, values: TextRow): TextRow => ({
  ...row,
  ...Object.fromEntries(Object.entries(values).filter(([name]) => name in row)),
})

const moving = new Set([
  'state',
  'activated_at',
  'opened_at',
  'expires_at',
  'attempt',
  'unsure_attempts',
  'configuration',
  'due_at',
])

async function update(client: pg.Client, grant: TextRow): Promise<void> {
  const columns = Object.keys(grant).filter((name) => moving.has(name))
  await client.query({
    name: 'update-grant',
    text: `update access_grant set ${columns.map((name, i) => `${name} = $${i + 2}`).join(', ')} where id = $1`,
    values: [grant['id'], ...columns.map((name) => grant[name])],
  })
}
