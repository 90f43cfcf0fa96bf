//! Functions that do more than compute or look, by name, and what they do. Those of the server itself
//! are every volatile function of `pg_catalog` that is not harmless, and the few others that run text or
//! read what their arguments name (list of PostgreSQL 15, looked through for 16 to 18). Those of
//! extensions are the ones that reach outside the database.

use tagout_core::effect::Effect::{
    self, Destroy, Disrupt, Emit, Opaque, SecretRead, Unknown, Write,
};

use super::super::statement::Name;

type Known = Option<(Effect, &'static str)>;

const RUNS_TEXT: &str = "runs SQL that it is given as text";
const READS_BY_NAME: &str = "reads what its argument names";
const READS_ALL: &str = "reads every table and runs every view that it finds";
const SERVER_FILE: &str = "looks into files of the server";
const WRITES_FILE: &str =
    "writes or moves files of the server, whatever becomes of the transaction";
const KEEPS_WAL: &str =
    "makes a replication slot, which keeps the server's log until the disk is full";
const ORIGIN: &str = "changes how replicated changes are counted";
const STATISTICS: &str = "throws away statistics that the server plans and cleans up by";
const UPGRADE: &str = "is for upgrading a server and changes its catalog by hand";
const BACKUP: &str = "begins or ends a backup";
const SESSION: &str = "ends or interrupts another session";
const LARGE: &str = "changes a large object";

/// What a function of `pg_catalog` does beyond computing and looking.
pub(super) fn of_the_server(name: &str) -> Known {
    if name.starts_with("binary_upgrade_") {
        return Some((Unknown, UPGRADE));
    }
    if name.starts_with("pg_replication_origin_") && !ORIGINS_THAT_LOOK.contains(&name) {
        return Some((Write, ORIGIN));
    }
    if name.starts_with("pg_stat_reset") {
        return Some((Write, STATISTICS));
    }
    by_name(name)
}

const ORIGINS_THAT_LOOK: [&str; 4] = [
    "pg_replication_origin_oid",
    "pg_replication_origin_progress",
    "pg_replication_origin_session_is_setup",
    "pg_replication_origin_session_progress",
];

fn by_name(name: &str) -> Known {
    Some(match name {
        "query_to_xml" | "query_to_xmlschema" | "query_to_xml_and_xmlschema" | "ts_stat" => {
            (Unknown, RUNS_TEXT)
        }
        // With two arguments it runs the second; with three it only computes.
        "ts_rewrite" => (Unknown, RUNS_TEXT),
        "cursor_to_xml" | "cursor_to_xmlschema" => (
            Unknown,
            "runs the query of a cursor that it is given by name",
        ),
        "table_to_xml" | "table_to_xmlschema" | "table_to_xml_and_xmlschema" => {
            (Unknown, READS_BY_NAME)
        }
        "schema_to_xml"
        | "schema_to_xmlschema"
        | "schema_to_xml_and_xmlschema"
        | "database_to_xml"
        | "database_to_xmlschema"
        | "database_to_xml_and_xmlschema" => (Opaque, READS_ALL),
        "set_config" => (Unknown, "changes a setting that it is given by name"),
        "nextval" => (Write, "takes the next number of a sequence"),
        "setval" => (Write, "sets a sequence's position"),
        "pg_notify" => (Write, "sends a message to the sessions that listen"),
        "pg_logical_emit_message" => (Write, "writes a message into the server's log"),
        "pg_advisory_lock"
        | "pg_advisory_lock_shared"
        | "pg_advisory_xact_lock"
        | "pg_advisory_xact_lock_shared"
        | "pg_try_advisory_lock"
        | "pg_try_advisory_lock_shared"
        | "pg_try_advisory_xact_lock"
        | "pg_try_advisory_xact_lock_shared" => (Write, "takes a lock that others may wait for"),
        "brin_desummarize_range"
        | "brin_summarize_new_values"
        | "brin_summarize_range"
        | "gin_clean_pending_list" => (Write, "maintains an index"),
        "pg_import_system_collations" => (Write, "adds collations"),
        "pg_extension_config_dump" => (Write, "changes what a dump of an extension has"),
        "lo_creat" | "lo_create" | "lo_from_bytea" => (Write, "adds a large object"),
        "lo_open" | "lowrite" | "lo_put" | "lo_truncate" | "lo_truncate64" => (Write, LARGE),
        "lo_unlink" => (Destroy, "removes a large object"),
        "lo_import" => (Opaque, "reads a file of the server into the database"),
        "lo_export" => (Opaque, WRITES_FILE),
        "pg_terminate_backend" | "pg_cancel_backend" => (Disrupt, SESSION),
        "pg_promote" => (Disrupt, "makes a standby a primary"),
        "pg_wal_replay_pause"
        | "pg_wal_replay_resume"
        | "pg_xlog_replay_pause"
        | "pg_xlog_replay_resume" => (Disrupt, "stops or resumes a standby's catching up"),
        "pg_reload_conf" => (Write, "makes the server read its configuration again"),
        "pg_rotate_logfile" | "pg_rotate_logfile_old" => (Write, "begins another log file"),
        "pg_log_backend_memory_contexts" => (Write, "writes into the server's log file"),
        "pg_switch_wal"
        | "pg_switch_xlog"
        | "pg_create_restore_point"
        | "pg_log_standby_snapshot" => (Write, "writes to the server's write-ahead log"),
        "pg_backup_start" | "pg_backup_stop" | "pg_start_backup" | "pg_stop_backup" => {
            (Write, BACKUP)
        }
        "pg_create_logical_replication_slot"
        | "pg_create_physical_replication_slot"
        | "pg_copy_logical_replication_slot"
        | "pg_copy_physical_replication_slot"
        | "pg_sync_replication_slots" => (Disrupt, KEEPS_WAL),
        "pg_drop_replication_slot" => (
            Destroy,
            "drops a replication slot: what its consumer had not read is gone for it",
        ),
        "pg_logical_slot_get_changes"
        | "pg_logical_slot_get_binary_changes"
        | "pg_replication_slot_advance" => (
            Destroy,
            "consumes changes that a slot's consumer has not read",
        ),
        "pg_logical_slot_peek_changes" | "pg_logical_slot_peek_binary_changes" => (
            Opaque,
            "reads all changes of the database through an output plugin",
        ),
        "pg_read_file"
        | "pg_read_file_old"
        | "pg_read_binary_file"
        | "pg_ls_dir"
        | "pg_stat_file"
        | "pg_show_all_file_settings" => (SecretRead, SERVER_FILE),
        "pg_hba_file_rules" => (SecretRead, "shows how users are let in"),
        "pg_file_write" | "pg_file_rename" | "pg_file_sync" => (Opaque, WRITES_FILE),
        "pg_file_unlink" => (Destroy, "deletes a file of the server"),
        "pg_restore_relation_stats"
        | "pg_restore_attribute_stats"
        | "pg_clear_relation_stats"
        | "pg_clear_attribute_stats" => (Write, STATISTICS),
        "pg_nextoid" | "pg_stop_making_pinned_objects" => (Unknown, UPGRADE),
        _ => return None,
    })
}

const OTHER_SERVER: &str =
    "runs SQL on another server or in another session, outside this transaction";
const SENDS: &str = "sends a request out of the database, outside this transaction";
const SCHEDULES: &str = "has something run later";

/// What a function of an extension does that reaches outside or runs text, whatever its schema.
pub(super) fn of_extensions(name: &Name) -> Known {
    if let Some(schema) = &name.schema {
        match (schema.as_str(), name.name.as_str()) {
            ("aws_lambda", "invoke") => return Some((Emit, SENDS)),
            ("cron", "schedule" | "schedule_in_database" | "unschedule" | "alter_job") => {
                return Some((Opaque, SCHEDULES));
            }
            _ => {}
        }
    }
    Some(match name.name.as_str() {
        "dblink"
        | "dblink_exec"
        | "dblink_open"
        | "dblink_fetch"
        | "dblink_send_query"
        | "dblink_connect"
        | "dblink_connect_u"
        | "dblink_get_result"
        | "dblink_close"
        | "dblink_disconnect"
        | "dblink_cancel_query" => (Opaque, OTHER_SERVER),
        "postgres_fdw_disconnect" | "postgres_fdw_disconnect_all" | "file_fdw_handler" => {
            (Opaque, OTHER_SERVER)
        }
        "crosstab" | "crosstab2" | "crosstab3" | "crosstab4" | "crosstabn" => (Unknown, RUNS_TEXT),
        "connectby" | "xpath_table" => (Unknown, "builds SQL from its arguments and runs it"),
        "http"
        | "http_get"
        | "http_post"
        | "http_put"
        | "http_patch"
        | "http_delete"
        | "http_head"
        | "http_collect_response" => (Emit, SENDS),
        "query_export_to_s3" | "table_import_from_s3" | "query_export_to_azure" => (Emit, SENDS),
        "pg_stat_statements_reset" => (Write, STATISTICS),
        "run_command_on_workers" | "run_command_on_shards" | "run_command_on_placements" => {
            (Opaque, OTHER_SERVER)
        }
        _ => return None,
    })
}

/// Of those: whether it acts beyond the transaction.
pub(super) fn reaches_out(name: &Name) -> bool {
    matches!(of_extensions(name), Some((Opaque | Emit, why)) if why != SCHEDULES)
}

/// Whether a function of `pg_catalog` does something that a rollback does not take back, other than
/// counting a sequence up or locking.
pub(super) fn is_not_rolled_back(name: &str) -> bool {
    let known = of_the_server(name);
    let files = matches!(known, Some((_, why)) if why == WRITES_FILE || why == SESSION);
    let grave = matches!(known, Some((Disrupt, _)));
    let at_once = [
        "pg_file_unlink",
        "pg_drop_replication_slot",
        "pg_logical_slot_get_changes",
        "pg_logical_slot_get_binary_changes",
        "pg_replication_slot_advance",
        "pg_reload_conf",
        "pg_switch_wal",
        "pg_create_restore_point",
        "pg_backup_start",
        "pg_backup_stop",
    ];
    files || grave || at_once.contains(&name) || name.starts_with("pg_stat_reset")
}

/// What a function reads by an argument of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Reads {
    /// The argument at this position is a statement, which runs.
    Statement(usize),
    /// The argument at this position names a relation, which is read.
    Relation(usize),
}

/// Which argument of a function is SQL, if one is: with that many arguments.
pub(in super::super) fn reads(name: &str, arguments: usize) -> Option<Reads> {
    Some(match (name, arguments) {
        ("query_to_xml" | "query_to_xmlschema" | "query_to_xml_and_xmlschema" | "ts_stat", _) => {
            Reads::Statement(0)
        }
        ("ts_rewrite", 2) => Reads::Statement(1),
        ("crosstab" | "crosstab2" | "crosstab3" | "crosstab4" | "crosstabn", 1) => {
            Reads::Statement(0)
        }
        ("table_to_xml" | "table_to_xmlschema" | "table_to_xml_and_xmlschema", _) => {
            Reads::Relation(0)
        }
        _ => return None,
    })
}
