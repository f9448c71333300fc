/** Functions of PostgreSQL and its extensions that do more than compute. A `*` stands for anything. */

export type FunctionGroup = {
  readonly names: readonly string[]
  /** Completes "The function … ". */
  readonly about: string
}

/** Refused by every guard, unless rules allow the name. */
export const dangerousFunctions: readonly FunctionGroup[] = [
  {
    about: 'reaches files or pages of the target',
    names: [
      'pg_read_file',
      'pg_read_binary_file',
      'pg_stat_file',
      'pg_ls_*',
      'pg_file_*',
      'pg_logdir_ls',
      'pg_current_logfile',
      'pg_hba_file_rules',
      'pg_ident_file_mappings',
      'pg_show_all_file_settings',
      'lo_import',
      'lo_export',
      'get_raw_page',
      'heap_page_items',
      'bt_page_items*',
      'pg_get_wal_record*',
      'pg_get_wal_block_info',
      'query_export_to_s3',
      'table_import_from_s3',
    ],
  },
  {
    about: 'runs a text as a statement, unseen',
    names: [
      'query_to_xml*',
      'table_to_xml*',
      'schema_to_xml*',
      'database_to_xml*',
      'cursor_to_xml*',
      'ts_stat',
      'ts_rewrite',
      'crosstab*',
      'connectby',
      'xpath_table',
      'pg_background_*',
      'schedule',
      'schedule_in_database',
      'add_job',
      'replicate_ddl_command',
      'run_command_on_*',
    ],
  },
  { about: 'reaches other systems', names: ['dblink*', 'http', 'http_*', 'postgres_fdw_*'] },
  {
    about: 'reaches other sessions or the server itself',
    names: [
      'pg_terminate_backend',
      'pg_cancel_backend',
      'pg_reload_conf',
      'pg_rotate_logfile*',
      'pg_promote',
      'pg_switch_wal',
      'pg_wal_replay_*',
      'pg_backup_*',
      'pg_start_backup',
      'pg_stop_backup',
      'pg_create_*',
      'pg_drop_replication_slot',
      'pg_copy_*',
      'pg_replication_*',
      'pg_logical_slot_*',
      'pg_logical_emit_message',
      'pg_log_*',
      'pg_sync_replication_slots',
      'pg_import_system_collations',
      'pg_clear_*_stats',
      'pg_restore_*_stats',
      'pg_nextoid',
      'pg_extension_config_dump',
      'pg_stop_making_pinned_objects',
      'binary_upgrade_*',
      'plpgsql_*',
    ],
  },
]

/** Refused in read-only access besides: they change something that a read-only transaction may or may not hold. */
export const changingFunctions: readonly string[] = [
  'nextval',
  'setval',
  'lo_*',
  'lowrite',
  'pg_advisory_*',
  'pg_try_advisory_*',
  'pg_notify',
  'pg_stat_reset*',
  'pg_stat_statements_reset',
  'pg_stat_force_next_flush',
  'brin_*',
  'gin_clean_pending_list',
]

/** Does what `SET` does. Its first argument is what it sets. */
export const settingFunction = 'set_config'

/** Called on a table's whole row, also as `row.name`: `c.to_jsonb` gives all columns of `c`. */
export const wholeRowFunctions: readonly string[] = [
  'any_value',
  'array_agg',
  'concat',
  'hash_record',
  'hstore',
  'json_agg',
  'json_agg_strict',
  'json_build_array',
  'jsonb_agg',
  'jsonb_agg_strict',
  'jsonb_build_array',
  'max',
  'min',
  'quote_literal',
  'quote_nullable',
  'record_out',
  'record_send',
  'row_to_json',
  'to_json',
  'to_jsonb',
]
