/** Tables with a secret in them, reached through a gateway that masks it. */

import { Client, type ClientConfig } from 'pg'
import { onTestFinished } from 'vitest'
import { withClient } from '../../../../../tests/support/clients.ts'
import { startGatewayForTest, type TestGateway } from '../../postgres/testing/gateway.ts'
import { createMask, type Mask } from '../mask.ts'
import { type MaskRules, readMask } from '../rules.ts'
import { createMasks } from '../together.ts'

/** No part of these, forwards or backwards, may come through a mask. */
export const secrets = ['alice.secret@corp.example', 'bob.hidden@corp.example'] as const

const schema = `
  create table customers (id int primary key check (id < 1000), name text, email text, score int, joined date default '2020-01-01');
  create table orders (id int primary key, customer_id int, note text);
  create table history (like customers) partition by range (id);
  create table history_1 partition of history for values from (0) to (100);
  insert into customers values (1, 'Alice', '${secrets[0]}', 731), (2, 'Bob', '${secrets[1]}', 842);
  insert into history select * from customers;
  insert into orders values (1, 1, 'first'), (2, 2, 'second');
  create view people as select id, name, email as contact from customers;
  create view rows_of as select id, to_jsonb(c) as j from customers c;
  create view over_people as select id as n, upper(contact) as loud from people;
  create materialized view kept as select id, email as address from customers;
  create function mail_of(int) returns text language sql as 'select email from customers where id = $1';
  create function mails() returns table (m text) language plpgsql as 'begin return query select email from customers; end';
  create function whose(customers) returns text language sql as 'select $1.email';
  create view by_function as select id, mail_of(customer_id) as m from orders;
  analyze;
`

export const emailRules: MaskRules = rulesOf({
  columns: [
    { names: ['email'], tables: ['customers', 'history'], by: 'full' },
    { names: ['score'], tables: ['public.customers', 'public.history'], by: 'full' },
  ],
})

export function rulesOf(value: unknown): MaskRules {
  const read = readMask(value)
  if ('problems' in read) throw new Error(read.problems.join('; '))
  return read.rules
}

export const testKey = Buffer.alloc(32, 7)

export const startShop = (rules: MaskRules | undefined, more = ''): Promise<TestGateway> =>
  startMasked(rules && createMask(rules, { key: testKey }), more)

/** With several masks on each session. */
export const startShopUnder = (rules: readonly MaskRules[]): Promise<TestGateway> =>
  startMasked(createMasks(rules, { key: testKey }), '')

async function startMasked(mask: Mask | undefined, more: string): Promise<TestGateway> {
  const world = await startGatewayForTest({ admission: { ...(mask && { mask }) } })
  await withClient(world.database.connection, (client) => client.query(schema + more))
  return world
}

export async function connected(world: TestGateway, config: ClientConfig = {}): Promise<Client> {
  const client = new Client({ ...world.connection, ...config })
  client.on('error', () => undefined)
  await client.connect()
  onTestFinished(() => client.end())
  return client
}
