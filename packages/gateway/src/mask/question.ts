/**
 * What a target is asked before the first statement of a session, on the session's own connection. One statement with
 * one answer, in JSON. Names out of rules stand in it in quotes; `rules.ts` has seen to what is in them.
 */

import type { TablePattern } from '../guard/names.ts'
import type { ColumnMask, MaskRules } from './rules.ts'

export function questionOf({ columns = [] }: MaskRules): string {
  const rows = columns.flatMap((rule, index) => (rule.tables ?? [undefined]).map((table) => row(index, rule, table)))
  // A rule that fits nothing, where there are none: values of no row have no types.
  return catalogQuery(rows.length > 0 ? rows.join(', ') : `(0, '', '', '^$')`)
}

function row(index: number, { names }: ColumnMask, table: TablePattern | undefined): string {
  const schema = quoted(table?.schema ?? '*')
  return `(${index}, ${schema}, ${quoted(table?.table ?? '*')}, ${quoted(regexOf(names))})`
}

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`

/** `$` is the one character of a name that means something in a pattern. */
const regexOf = (names: readonly string[]): string =>
  `^(${names.map((name) => name.replaceAll('$', '[$]').replaceAll('*', '.*')).join('|')})$`

/**
 * Columns that rules name, those of children and partitions with them; the views that stand on any of these tables, with
 * their texts; functions that may read tables; and the types of texts. Everything is named with its schema, since a role
 * may have a search path of its own.
 */
const catalogQuery = (rules: string): string => `
with recursive rule (index, in_schema, in_table, names) as (values ${rules}),
relation as (
  select c.oid, n.nspname, c.relname, c.relkind
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'm', 'f')
    and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
),
named (oid, attname, index) as (
  select r.oid, a.attname, rule.index
  from relation r
  join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
  join rule on rule.in_schema in ('*', r.nspname) and rule.in_table in ('*', r.relname) and a.attname ~* rule.names
  union
  select i.inhrelid, named.attname, named.index
  from named join pg_catalog.pg_inherits i on i.inhparent = named.oid
),
masked as (
  select named.oid, a.attname, a.attnum, pg_catalog.min(named.index) as index
  from named join pg_catalog.pg_attribute a on a.attrelid = named.oid and a.attname = named.attname
  group by 1, 2, 3
),
opaque as (
  select p.oid, p.proname
  from pg_catalog.pg_proc p
  join pg_catalog.pg_language l on l.oid = p.prolang
  join pg_catalog.pg_namespace n on n.oid = p.pronamespace
  where l.lanname not in ('internal', 'c') and n.nspname not in ('pg_catalog', 'information_schema')
),
standing (class, oid) as (
  select 'pg_catalog.pg_class'::pg_catalog.regclass, oid from masked
  union
  select 'pg_catalog.pg_proc'::pg_catalog.regclass, oid from opaque
  union
  select 'pg_catalog.pg_class'::pg_catalog.regclass, w.ev_class
  from standing
  join pg_catalog.pg_depend d on d.refclassid = standing.class and d.refobjid = standing.oid
    and d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
  join pg_catalog.pg_rewrite w on w.oid = d.objid
)
select pg_catalog.json_build_object(
  'columns', (select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('oid', m.oid::pg_catalog.int8,
      'schema', r.nspname, 'name', r.relname, 'column', m.attname, 'number', m.attnum, 'rule', m.index)), '[]')
    from masked m join relation r on r.oid = m.oid),
  'views', (select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('oid', r.oid::pg_catalog.int8,
      'schema', r.nspname, 'name', r.relname, 'text', pg_catalog.pg_get_viewdef(r.oid),
      'columns', (select pg_catalog.json_agg(pg_catalog.json_build_object('name', a.attname, 'number', a.attnum)
          order by a.attnum)
        from pg_catalog.pg_attribute a where a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped))), '[]')
    from relation r where r.relkind in ('v', 'm') and r.oid in (select oid from standing)),
  'functions', (select coalesce(pg_catalog.json_agg(distinct o.proname), '[]') from opaque o),
  'texts', (select coalesce(pg_catalog.json_agg(t.oid::pg_catalog.int8), '[]') from pg_catalog.pg_type t
    where t.typcategory = 'S' and t.typtype = 'b')
)::pg_catalog.text`
