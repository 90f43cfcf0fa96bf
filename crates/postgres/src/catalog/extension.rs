//! What extensions are known to do. An extension that is named nowhere here and brings code of its own
//! (language C) is not trusted: we can't see into it, and what it does may outlive a rollback.

/// Extensions that reach out of the transaction: other servers, files, programs, background workers. What
/// they do can be neither measured nor rolled back.
const REACHES_OUT: &[&str] = &[
    "adminpack",
    "aws_commons",
    "aws_lambda",
    "aws_ml",
    "aws_s3",
    "azure_ai",
    "azure_storage",
    "dblink",
    "file_fdw",
    "google_ml_integration",
    "http",
    "mysql_fdw",
    "ogr_fdw",
    "oracle_fdw",
    "pageinspect",
    "pg_background",
    "pg_cron",
    "pg_curl",
    "pg_net",
    "pg_prewarm",
    "pg_surgery",
    "pgsql_http",
    "plperlu",
    "plpython2u",
    "plpython3u",
    "plsh",
    "pltclu",
    "postgres_fdw",
    "pg_repack",
    "pglogical",
    "tds_fdw",
    "wrappers",
];

/// Extensions that only compute, or only look: their C functions do nothing to anybody.
const COMPUTES: &[&str] = &[
    "address_standardizer",
    "amcheck",
    "autoinc",
    "bloom",
    "btree_gin",
    "btree_gist",
    "citext",
    "cube",
    "dict_int",
    "dict_xsyn",
    "earthdistance",
    "fuzzystrmatch",
    "h3",
    "hll",
    "hstore",
    "hypopg",
    "insert_username",
    "intagg",
    "intarray",
    "ip4r",
    "isn",
    "lo",
    "ltree",
    "moddatetime",
    "old_snapshot",
    "pg_buffercache",
    "pg_freespacemap",
    "pg_hint_plan",
    "pg_stat_statements",
    "pg_trgm",
    "pg_uuidv7",
    "pg_visibility",
    "pg_walinspect",
    "pgcrypto",
    "pgrowlocks",
    "pgstattuple",
    "pgvector",
    "plpgsql",
    "postgis",
    "postgis_raster",
    "postgis_sfcgal",
    "postgis_topology",
    "prefix",
    "rum",
    "seg",
    "semver",
    "sslinfo",
    "tablefunc",
    "tcn",
    "tsm_system_rows",
    "tsm_system_time",
    "unaccent",
    "uuid-ossp",
    "vector",
];

/// Functions of extensions above that run SQL which they are given, or that change something. All of it is
/// rolled back with the transaction.
const ACTS: &[&str] = &[
    "check_foreign_key",
    "check_primary_key",
    "connectby",
    "crosstab",
    "crosstab2",
    "crosstab3",
    "crosstab4",
    "crosstab_hash",
    "crosstabn",
    "lo_manage",
    "lo_oid",
    "triggered_change_notification",
    "xpath_table",
];

/// Functions of extensions above whose effect no rollback takes back.
const PERSISTS: &[&str] = &[
    "pg_stat_statements_reset",
    "pg_truncate_visibility_map",
    "hypopg_reset",
];

/// What a C function of an extension may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conduct {
    /// Computes.
    Computes,
    /// Changes something, or runs SQL that it is given; a rollback takes it back.
    Acts,
    /// Reaches where no rollback does.
    ReachesOut,
    /// We do not know the extension.
    Strange,
}

/// What is known of a C function that belongs to `extension`.
pub(super) fn conduct(extension: &str, function: &str) -> Conduct {
    let lists = |list: &[&str], name: &str| list.contains(&name);
    if lists(REACHES_OUT, extension) || lists(PERSISTS, function) {
        return Conduct::ReachesOut;
    }
    if lists(ACTS, function)
        && (lists(COMPUTES, extension) || ["refint", "xml2"].contains(&extension))
    {
        return Conduct::Acts;
    }
    if lists(COMPUTES, extension) || ["refint", "xml2"].contains(&extension) {
        return Conduct::Computes;
    }
    Conduct::Strange
}

/// The extensions whose C functions are known to stay inside the transaction, for look-ups.
pub(super) fn known() -> impl Iterator<Item = &'static str> {
    COMPUTES.iter().copied().chain(["refint", "xml2"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_known_by_what_they_do() {
        for (extension, function, expected) in [
            ("pgcrypto", "digest", Conduct::Computes),
            ("postgis", "st_area", Conduct::Computes),
            ("tablefunc", "crosstab", Conduct::Acts),
            ("refint", "check_foreign_key", Conduct::Acts),
            ("dblink", "dblink_exec", Conduct::ReachesOut),
            (
                "pg_stat_statements",
                "pg_stat_statements_reset",
                Conduct::ReachesOut,
            ),
            ("something_new", "f", Conduct::Strange),
        ] {
            assert_eq!(
                conduct(extension, function),
                expected,
                "{extension} {function}"
            );
        }
    }
}
