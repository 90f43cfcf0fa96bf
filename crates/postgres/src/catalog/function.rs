//! What running a function means, by what it is written in, whose it is, and what its body mentions.
//! `IMMUTABLE`, `STABLE` and `VOLATILE` are what its author claims, and decide nothing.

use super::code::{Function, Ways};
use super::extension::{Conduct, conduct};
use super::here::Here;
use super::relation::FIRST_OF_USERS;
use super::tree::references;
use super::vetting::{Standing, Vetting};

/// What is to be done about a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// It does nothing by itself; what it refers to is followed.
    Closed,
    /// Drawing from a sequence and the like: it writes, and nobody minds.
    Changes,
    /// Run it and measure.
    Try,
    /// It may reach where no rollback does; why.
    Outside(String),
}

/// Functions that do what no rollback takes back, for bodies in text. Understanding knows them all by what
/// they do; a body is only searched for their names.
const PERSISTENT: &[&str] = &[
    "lo_export",
    "lo_import",
    "pg_backup_start",
    "pg_backup_stop",
    "pg_cancel_backend",
    "pg_copy_logical_replication_slot",
    "pg_copy_physical_replication_slot",
    "pg_create_logical_replication_slot",
    "pg_create_physical_replication_slot",
    "pg_create_restore_point",
    "pg_drop_replication_slot",
    "pg_logical_emit_message",
    "pg_logical_slot_get_binary_changes",
    "pg_logical_slot_get_changes",
    "pg_ls_dir",
    "pg_promote",
    "pg_read_binary_file",
    "pg_read_file",
    "pg_reload_conf",
    "pg_replication_origin_advance",
    "pg_replication_origin_create",
    "pg_replication_origin_drop",
    "pg_replication_slot_advance",
    "pg_rotate_logfile",
    "pg_stat_reset",
    "pg_switch_wal",
    "pg_terminate_backend",
    "pg_wal_replay_pause",
    "pg_wal_replay_resume",
];

fn parts(source: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let parts = source.split(move |c| !is_part(c));
    parts.filter(|word| !word.is_empty())
}

/// The words of a text, in lower case and in order.
fn in_order(source: &str) -> Vec<String> {
    parts(source).map(str::to_lowercase).collect()
}

/// The words of a body, as written and in lower case, each once; names in quotation marks as well.
pub(super) fn words(source: &str) -> Vec<String> {
    let quoted = source.split('"').skip(1);
    let mut words: Vec<String> = parts(source)
        .chain(quoted)
        .flat_map(|word| [word.to_owned(), word.to_lowercase()])
        .collect();
    words.sort();
    words.dedup();
    words
}

impl Function {
    /// Whether it comes with the server.
    pub(super) fn is_built_in(&self) -> bool {
        self.oid < FIRST_OF_USERS && self.schema == "pg_catalog"
    }

    /// A one-liner that came with an extension which only computes, and that only a superuser can replace.
    fn is_an_extensions(&self) -> bool {
        let extension = self.extension.as_deref();
        let computes = extension.is_some_and(|it| conduct(it, &self.name) == Conduct::Computes);
        computes && self.owner_is_super
    }

    /// What running it means. `ways` are the ways out of this database's transactions.
    pub(super) fn judge(&self, here: &Here, ways: &Ways, vetting: &dyn Vetting) -> Judgement {
        if self.is_built_in() {
            return self.judge_built_in(vetting);
        }
        // Made together with the cluster: `information_schema` is as trustworthy as the server.
        if self.oid < FIRST_OF_USERS {
            return Judgement::Closed;
        }
        match self.language.as_str() {
            // An aggregate is what it consists of.
            "internal" if !self.parts.is_empty() => Judgement::Closed,
            "c" | "internal" => self.judge_compiled(),
            "sql" if self.is_an_extensions() => Judgement::Closed,
            "sql" if self.source.is_none() => self.judge_tree(),
            "sql" | "plpgsql" => self.judge_text(here, ways),
            _ if self.untrusted => Judgement::Outside(format!(
                "it is written in `{}`, which may do anything on the server",
                self.language
            )),
            _ => self.judge_dynamic(here, ways),
        }
    }

    fn judge_built_in(&self, vetting: &dyn Vetting) -> Judgement {
        match vetting.standing(&self.name) {
            Standing::Observes => Judgement::Closed,
            Standing::Changes => Judgement::Changes,
            Standing::Persists(why) => Judgement::Outside(why.to_owned()),
            Standing::Unvetted => {
                Judgement::Outside("nobody has vetted this function of the server".to_owned())
            }
        }
    }

    fn judge_compiled(&self) -> Judgement {
        let Some(extension) = &self.extension else {
            return Judgement::Outside(
                "it is compiled code of no extension, which may do anything".to_owned(),
            );
        };
        match conduct(extension, &self.name) {
            Conduct::Computes => Judgement::Closed,
            Conduct::Acts => Judgement::Try,
            Conduct::ReachesOut => Judgement::Outside(format!(
                "the extension `{extension}` reaches out of the transaction"
            )),
            Conduct::Strange => Judgement::Outside(format!(
                "it is compiled code of the extension `{extension}`, which we do not know"
            )),
        }
    }

    /// A body that was parsed when the function was made means what it meant then.
    fn judge_tree(&self) -> Judgement {
        if references(&self.trees).changes {
            Judgement::Try
        } else {
            Judgement::Closed
        }
    }

    fn judge_text(&self, here: &Here, ways: &Ways) -> Judgement {
        let source = self.source.as_deref().unwrap_or_default();
        judge_text(source, here.powerful || self.is_a_supers(), ways)
    }

    fn judge_dynamic(&self, here: &Here, ways: &Ways) -> Judgement {
        judge_dynamic(here.powerful || self.is_a_supers(), ways)
    }

    /// Whether it runs with the rights of somebody who may do anything.
    const fn is_a_supers(&self) -> bool {
        self.definer && self.owner_is_super
    }
}

/// What a block of code (`DO`) means, from the statement's whole text. Escapes could hide any word of it.
pub(super) fn judge_block(sql: &str, here: &Here, ways: &Ways) -> Judgement {
    let said = in_order(sql);
    let comments = sql.contains("/*") || sql.contains("--");
    if comments && said.iter().any(|word| word == "language") {
        return Judgement::Outside("its language is not plain to see".to_owned());
    }
    let languages = said
        .windows(2)
        .filter(|pair| pair.first() == Some(&"language".to_owned()));
    if languages
        .filter_map(|pair| pair.get(1))
        .any(|language| language != "plpgsql")
    {
        return Judgement::Outside("it may be in a language that may do anything".to_owned());
    }
    match judge_text(sql, here.powerful, ways) {
        Judgement::Try if sql.contains('\\') => judge_dynamic(here.powerful, ways),
        judgement => judgement,
    }
}

fn judge_text(source: &str, powerful: bool, ways: &Ways) -> Judgement {
    let words = words(source);
    let says = |word: &str| words.iter().any(|each| each == word);
    if let Some(name) = PERSISTENT.iter().find(|name| says(name)) {
        return Judgement::Outside(format!("its body mentions `{name}`"));
    }
    if says("copy") {
        return Judgement::Outside("its body mentions COPY, to programs or files".to_owned());
    }
    if let Some(name) = ways.out.iter().find(|name| says(name)) {
        let name = tagout_core::untrusted::Untrusted::from(name.as_str());
        return Judgement::Outside(format!(
            "its body mentions `{name}`, which reaches out of the transaction"
        ));
    }
    // In such a name any word could hide.
    if says("execute") || source.to_lowercase().contains("u&\"") {
        return judge_dynamic(powerful, ways);
    }
    Judgement::Try
}

/// It puts SQL together while it runs: what it can reach is whatever its rights reach.
fn judge_dynamic(powerful: bool, ways: &Ways) -> Judgement {
    if powerful {
        return Judgement::Outside(
            "it puts SQL together while it runs, with rights to run programs".to_owned(),
        );
    }
    if !ways.out.is_empty() {
        return Judgement::Outside(
            "it puts SQL together while it runs, in a database with ways to other servers"
                .to_owned(),
        );
    }
    Judgement::Try
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;
    impl Vetting for Nothing {
        fn standing(&self, _: &str) -> Standing {
            Standing::Unvetted
        }
    }

    fn function(language: &str, extension: Option<&str>, source: Option<&str>) -> Function {
        Function {
            oid: 20_000,
            schema: "public".to_owned(),
            name: "f".to_owned(),
            language: language.to_owned(),
            untrusted: language.ends_with('u') || language == "c",
            definer: false,
            owner_is_super: false,
            extension: extension.map(str::to_owned),
            source: source.map(str::to_owned),
            trees: String::new(),
            parts: Vec::new(),
            returns: 23,
        }
    }

    #[test]
    fn blocks_are_judged_by_their_text() {
        let here = |powerful| Here {
            role: "agent".to_owned(),
            schemas: Vec::new(),
            temporary: None,
            creates_in: None,
            powerful,
        };
        for (sql, powerful, outside) in [
            ("DO $$BEGIN DELETE FROM t; END$$", true, false),
            (
                "DO $$BEGIN EXECUTE 'x'; END$$ LANGUAGE plpgsql",
                false,
                false,
            ),
            ("DO $a$BEGIN EXECUTE 'x'; END$a$", true, true),
            ("DO $copy$BEGIN PERFORM 1; END$copy$", true, true),
            ("DO E'BEGIN \\x45XECUTE 1; END'", true, true),
            ("DO LANGUAGE plpython3u $$x$$", false, true),
            ("DO LANGUAGE /* plpgsql */ \"plperlu\" $$x$$", false, true),
            ("DO $$x$$ LANGUAGE /* c */ plpython3u", false, true),
            ("DO $$BEGIN PERFORM U&\"\\0064blink\"(); END$$", true, true),
            (
                "DO $$BEGIN PERFORM pg_terminate_backend(1); END$$",
                false,
                true,
            ),
        ] {
            let judged = judge_block(sql, &here(powerful), &Ways::default());
            assert_eq!(
                matches!(judged, Judgement::Outside(_)),
                outside,
                "{sql}: {judged:?}"
            );
        }
    }

    #[test]
    fn functions_are_judged_by_what_they_are() {
        let here = |powerful| Here {
            role: "agent".to_owned(),
            schemas: Vec::new(),
            temporary: None,
            creates_in: None,
            powerful,
        };
        let out = |names: &[&str]| Ways {
            out: names.iter().map(|&name| name.to_owned()).collect(),
        };
        let touch = "BEGIN NEW.updated_at = now(); RETURN NEW; END";
        let dynamic = "BEGIN EXECUTE 'select ' || 1; END";
        for (language, extension, source, powerful, ways, outside) in [
            (
                "plpgsql",
                None,
                Some(touch),
                true,
                &["dblink_exec"][..],
                false,
            ),
            (
                "plpgsql",
                None,
                Some("PERFORM dblink_exec('x')"),
                false,
                &["dblink_exec"],
                true,
            ),
            ("plpgsql", None, Some(dynamic), false, &[], false),
            ("plpgsql", None, Some(dynamic), true, &[], true),
            (
                "plpgsql",
                None,
                Some(dynamic),
                false,
                &["dblink_exec"],
                true,
            ),
            (
                "sql",
                None,
                Some("select pg_terminate_backend(1)"),
                false,
                &[],
                true,
            ),
            ("sql", None, None, true, &["dblink_exec"], false),
            ("c", Some("pgcrypto"), None, false, &[], false),
            ("c", Some("dblink"), None, false, &[], true),
            ("c", None, None, false, &[], true),
            ("plpython3u", None, Some("pass"), false, &[], true),
            ("plperl", None, Some("1"), false, &[], false),
        ] {
            let judged =
                function(language, extension, source).judge(&here(powerful), &out(ways), &Nothing);
            assert_eq!(
                matches!(judged, Judgement::Outside(_)),
                outside,
                "{language} {extension:?} {source:?}: {judged:?}"
            );
        }
    }
}
