/**
 * The settings of a session that a client may change. One row each; every other one is refused, since what a name means
 * (`search_path`), who is acting (`role`), how a text is read (`standard_conforming_strings`) and what an application
 * tells its row-level security (`app.user`) are settings too.
 */

import { nameMatcher } from './names.ts'

/** Where any value will do. */
const free: readonly string[] = [
  'application_name',
  'bytea_output',
  'client_min_messages',
  'constraint_exclusion',
  'cursor_tuple_fraction',
  'datestyle',
  'default_text_search_config',
  'default_transaction_deferrable',
  'default_transaction_isolation',
  'default_transaction_read_only',
  'effective_cache_size',
  'effective_io_concurrency',
  'enable_*',
  'extra_float_digits',
  'from_collapse_limit',
  'geqo',
  'idle_in_transaction_session_timeout',
  'idle_session_timeout',
  'intervalstyle',
  'jit',
  'join_collapse_limit',
  'lc_messages',
  'lc_monetary',
  'lc_numeric',
  'lc_time',
  'lock_timeout',
  'maintenance_work_mem',
  'max_parallel_workers_per_gather',
  'plan_cache_mode',
  'random_page_cost',
  'seq_page_cost',
  'statement_timeout',
  'synchronous_commit',
  'temp_buffers',
  'timezone',
  'transaction_deferrable',
  'transaction_isolation',
  'transaction_read_only',
  'transaction_timeout',
  'work_mem',
  'xmlbinary',
  'xmloption',
]

const on = ['on', 'true', 'yes', '1', 't', 'y']

/** Where only these will do, in lower case. */
const fixed: ReadonlyMap<string, readonly string[]> = new Map([
  ['client_encoding', ['utf8', 'utf-8', 'unicode']],
  ['standard_conforming_strings', on],
])

const isFree = nameMatcher(free)

/** Whether a client may give a setting this value; back to where it began where there is none. */
export function maySet(name: string, value: string | undefined): boolean {
  const values = fixed.get(name)
  return values === undefined ? isFree(name) : value === undefined || values.includes(value.toLowerCase())
}

/** What the target keeps read-only access read-only by. */
export const readOnlySettings: readonly string[] = ['default_transaction_read_only', 'transaction_read_only']

export const isOn = (value: string | undefined): boolean => value !== undefined && on.includes(value.toLowerCase())
