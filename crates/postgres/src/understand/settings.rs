//! What changing a setting means. Only settings that change nothing but how this session plans, waits or
//! prints are harmless; a setting that is not named here is `unknown`.

use tagout_core::effect::Effect::{self, Opaque, Privilege, Read, Unknown, Unprotect};

/// The value that a setting is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given<'a> {
    /// What the connection began with: `DEFAULT`, `RESET`.
    Beginning,
    /// This text.
    Text(&'a str),
    /// Something that the statement does not show: a parameter, an expression.
    Unseen,
}

impl Given<'_> {
    fn is(self, texts: &[&str]) -> bool {
        match self {
            Self::Beginning => true,
            Self::Text(text) => texts
                .iter()
                .any(|each| each.eq_ignore_ascii_case(text.trim())),
            Self::Unseen => false,
        }
    }
}

const HARMLESS: &str = "changes how this session works and nothing else";
const ON: [&str; 6] = ["on", "true", "yes", "1", "t", "y"];
const OFF: [&str; 6] = ["off", "false", "no", "0", "f", "n"];

/// Settings that a session may change as it likes.
const FREE: [&str; 62] = [
    "application_name",
    "array_nulls",
    "backend_flush_after",
    "bytea_output",
    "check_function_bodies",
    "client_connection_check_interval",
    "client_min_messages",
    "commit_delay",
    "commit_siblings",
    "constraint_exclusion",
    "cpu_index_tuple_cost",
    "cpu_operator_cost",
    "cpu_tuple_cost",
    "createrole_self_grant",
    "cursor_tuple_fraction",
    "datestyle",
    "deadlock_timeout",
    "debug_pretty_print",
    "default_statistics_target",
    "default_table_access_method",
    "default_tablespace",
    "default_text_search_config",
    "default_toast_compression",
    "default_transaction_deferrable",
    "default_transaction_isolation",
    "effective_cache_size",
    "effective_io_concurrency",
    "escape_string_warning",
    "exit_on_error",
    "extra_float_digits",
    "from_collapse_limit",
    "gin_fuzzy_search_limit",
    "gin_pending_list_limit",
    "hash_mem_multiplier",
    "icu_validation_level",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "intervalstyle",
    "join_collapse_limit",
    "lc_messages",
    "lc_monetary",
    "lc_numeric",
    "lc_time",
    "lock_timeout",
    "logical_decoding_work_mem",
    "maintenance_io_concurrency",
    "maintenance_work_mem",
    "plan_cache_mode",
    "quote_all_identifiers",
    "random_page_cost",
    "recursive_worktable_factor",
    "restrict_nonsystem_relation_kind",
    // Off, a query that a policy would have narrowed fails instead: it never shows more. `pg_dump` sets it.
    "row_security",
    "search_path",
    "seed",
    "seq_page_cost",
    "statement_timeout",
    "stats_fetch_consistency",
    "synchronize_seqscans",
    "temp_buffers",
    "temp_tablespaces",
    "timezone",
];

const FREE_TOO: [&str; 8] = [
    "timezone_abbreviations",
    "transaction_deferrable",
    "transaction_isolation",
    "transaction_snapshot",
    "transaction_timeout",
    "work_mem",
    "xmlbinary",
    "xmloption",
];

/// Beginnings of names of settings that only steer the planner.
const FREE_FAMILIES: [&str; 7] = [
    "enable_",
    "geqo",
    "jit",
    "max_parallel_",
    "min_parallel_",
    "parallel_",
    "vacuum_",
];

/// Settings whose value is code or names code that runs.
const CODE: [&str; 14] = [
    "archive_cleanup_command",
    "archive_command",
    "archive_library",
    "dynamic_library_path",
    "extension_control_path",
    "jit_provider",
    "local_preload_libraries",
    "recovery_end_command",
    "restore_command",
    "session_preload_libraries",
    "shared_preload_libraries",
    "ssl_passphrase_command",
    "ssl_passphrase_command_supports_reload",
    "unix_socket_directories",
];

/// What setting `name` (in lower case) to `value` means, and why.
#[must_use]
pub fn setting(name: &str, value: Given<'_>) -> (Effect, &'static str) {
    if let Some((extension, _)) = name.split_once('.') {
        return of_an_extension(extension);
    }
    if CODE.contains(&name) {
        return (Opaque, "names code that the server runs");
    }
    if FREE.contains(&name) || FREE_TOO.contains(&name) {
        return (Read, HARMLESS);
    }
    if FREE_FAMILIES.iter().any(|family| name.starts_with(family)) {
        return (Read, HARMLESS);
    }
    guarded(name, value)
}

/// Settings that are harmless with some values only.
fn guarded(name: &str, value: Given<'_>) -> (Effect, &'static str) {
    let unless = |values: &[&str], effect, why| {
        if value.is(values) {
            (Read, HARMLESS)
        } else {
            (effect, why)
        }
    };
    match name {
        "role" | "session_authorization" => (Privilege, "changes whose rights the session has"),
        "session_replication_role" => unless(
            &["origin", "local"],
            Unprotect,
            "switches off triggers and foreign keys for this session",
        ),
        "transaction_read_only" | "default_transaction_read_only" => unless(
            &ON,
            Unprotect,
            "lifts the protection of a read-only transaction",
        ),
        "synchronous_commit" => unless(
            &[
                "on",
                "local",
                "remote_write",
                "remote_apply",
                "true",
                "yes",
                "1",
            ],
            Unprotect,
            "commits before the disk has it: a crash loses what was reported as done",
        ),
        "client_encoding" => unless(
            &["utf8", "utf-8", "unicode"],
            Unknown,
            "changes how the server reads what we read as UTF-8",
        ),
        "standard_conforming_strings" => {
            unless(&ON, Unknown, "changes how the server reads quoted text")
        }
        "transform_null_equals" => unless(&OFF, Unknown, "changes what `=` means"),
        "zero_damaged_pages"
        | "ignore_checksum_failure"
        | "ignore_system_indexes"
        | "ignore_invalid_pages"
        | "allow_system_table_mods" => unless(
            &OFF,
            Unprotect,
            "switches off what keeps the server from damaging data",
        ),
        _ if name.starts_with("log_") || name.starts_with("track_") => {
            (Unprotect, "changes what the server records of its work")
        }
        _ => (
            Unknown,
            "is not on the list of settings that are known to be harmless",
        ),
    }
}

/// Settings with a dot belong to extensions, or are an application's own.
fn of_an_extension(extension: &str) -> (Effect, &'static str) {
    match extension {
        "plperl" | "plperlu" | "plv8" | "pltcl" | "plpython" | "plpython3" | "pllua" | "pljava" => {
            (Opaque, "names code that a language runs when it starts")
        }
        "pgaudit" | "auto_explain" | "pg_stat_statements" | "sepgsql" | "supautils"
        | "safeupdate" | "anon" | "set_user" | "pgtle" | "cron" => {
            (Unprotect, "changes an extension that watches or guards")
        }
        _ => (
            Read,
            "is a setting of an application or an extension, for this session",
        ),
    }
}

/// What changing a setting for every session of a server, database or role means by the setting alone.
#[must_use]
pub fn lasting(name: &str, value: Given<'_>) -> Option<(Effect, &'static str)> {
    let (effect, why) = setting(name, value);
    (effect > Privilege).then_some((effect, why))
}
