//! What runs when a relation is used: a view's query, rules, policies, triggers, checks and defaults; and
//! which relations are used with it: partitions, children, what cascades.

use tagout_core::effect::{Effect, Reversibility};
use tagout_core::resource::Resource;
use tagout_core::untrusted::Untrusted;

use super::closure::{Added, Cascade, Reached, RelationKind, shown};
use super::follow::{CHANGES, Node, Walk};
use super::relation::{Facts, ForeignKey, Relation, Trigger};
use crate::understand::statement::Usage;

/// Relations of the server's whose rows are secrets: password hashes, connection strings.
const SECRET: &[(&str, &str)] = &[
    ("pg_catalog", "pg_authid"),
    ("pg_catalog", "pg_shadow"),
    ("pg_catalog", "pg_subscription"),
    ("pg_catalog", "pg_user_mapping"),
    ("pg_catalog", "pg_user_mappings"),
    ("information_schema", "_pg_user_mappings"),
    ("information_schema", "user_mapping_options"),
];

/// `tgtype`: fires instead of what was asked.
const INSTEAD: u32 = 64;

impl Walk<'_> {
    pub(super) fn follow_relation(&mut self, oid: u32, usage: Usage, via: &str) {
        let Some(facts) = self.facts(oid) else {
            return;
        };
        self.note(&facts.relation, usage);
        self.note_secret(&facts.relation, usage);
        self.note_foreign(&facts.relation, usage, via);
        self.follow_types(&facts);
        self.follow_rules(&facts, usage);
        self.follow_policies(&facts, usage);
        self.follow_expressions(&facts, usage);
        self.follow_triggers(&facts, usage);
        self.follow_children(&facts, usage);
        self.follow_cascades(&facts, usage);
    }

    fn note(&mut self, relation: &Relation, usage: Usage) {
        if usage != Usage::Select {
            self.closure.reads_only = false;
        }
        let reached = self
            .closure
            .relations
            .entry(relation.oid)
            .or_insert_with(|| Reached::of(relation));
        reached.usages.insert(usage);
    }

    fn note_secret(&mut self, relation: &Relation, usage: Usage) {
        let name = (relation.schema.as_str(), relation.name.as_str());
        if usage == Usage::Select && SECRET.contains(&name) {
            self.closure.add(Added {
                effect: Effect::SecretRead,
                resource: super::closure::resource("table", name.0, name.1),
                why: "it keeps password hashes or connection strings".to_owned(),
                reversibility: Reversibility::Irreversible,
                transactional: true,
                elsewhere: false,
            });
        }
    }

    /// A foreign table is another server's: nothing there can be measured, nor rolled back with ours.
    fn note_foreign(&mut self, relation: &Relation, usage: Usage, via: &str) {
        let Some(server) = &relation.server else {
            return;
        };
        let name = shown(&relation.schema, &relation.name);
        let server_shown = Untrusted::from(server.as_str());
        let why =
            format!("{name} is a table of the server `{server_shown}`, reached through {via}");
        self.closure.add(Added {
            effect: effect_elsewhere(relation, usage),
            resource: Resource::new("server", server.as_str()),
            why: why.clone(),
            reversibility: Reversibility::Unknown,
            transactional: false,
            elsewhere: true,
        });
        self.closure.leaves(why);
    }

    fn follow_types(&mut self, facts: &Facts) {
        self.reach_type(facts.relation.row_type);
        for each in &facts.column_types {
            self.reach_type(*each);
        }
    }

    fn follow_rules(&mut self, facts: &Facts, usage: Usage) {
        let name = shown(&facts.relation.schema, &facts.relation.name);
        for rule in &facts.rules {
            if rule.event == '1' {
                self.follow_view(facts, &rule.tree, usage);
            } else if fires_rule(rule.event, usage) {
                let rule_name = Untrusted::from(rule.name.as_str());
                let via = format!("the rule `{rule_name}` of {name}");
                self.note_rule(facts, &via);
                self.follow_tree_using(&rule.tree, &via, &CHANGES);
            }
        }
    }

    fn note_rule(&mut self, facts: &Facts, via: &str) {
        self.closure.open = true;
        self.closure.add(Added {
            effect: Effect::Opaque,
            resource: facts.relation.resource(),
            why: format!("{via} makes something else of the statement"),
            reversibility: Reversibility::Unknown,
            transactional: true,
            elsewhere: false,
        });
    }

    /// A view's query runs when it is read, and when it is written through, which writes to what is below.
    fn follow_view(&mut self, facts: &Facts, tree: &str, usage: Usage) {
        let kind = facts.relation.reached_as();
        let runs = match kind {
            RelationKind::View => usage != Usage::Define,
            // Its rows are its own until it is refreshed.
            _ => usage == Usage::Define,
        };
        if !runs {
            return;
        }
        let via = format!(
            "the view {}",
            shown(&facts.relation.schema, &facts.relation.name)
        );
        let below = match usage {
            Usage::Insert | Usage::Update | Usage::Delete if !has_instead(facts, usage) => usage,
            Usage::SelectForUpdate => usage,
            _ => Usage::Select,
        };
        self.follow_tree_using(tree, &via, &[Usage::Select, below]);
    }

    fn follow_policies(&mut self, facts: &Facts, usage: Usage) {
        if !facts.relation.secured || matches!(usage, Usage::Define | Usage::Truncate) {
            return;
        }
        let name = shown(&facts.relation.schema, &facts.relation.name);
        for policy in &facts.policies {
            let policy_name = Untrusted::from(policy.what.as_str());
            let via = format!("the policy `{policy_name}` of {name}");
            self.follow_tree(&policy.tree, &via);
        }
    }

    /// Reading computes index expressions too: the planner does, for its statistics.
    fn follow_expressions(&mut self, facts: &Facts, usage: Usage) {
        if matches!(usage, Usage::Truncate | Usage::Delete) {
            return;
        }
        let name = shown(&facts.relation.schema, &facts.relation.name);
        for expression in &facts.expressions {
            let reads = matches!(usage, Usage::Select | Usage::SelectForUpdate);
            if reads && expression.what == "a default" {
                continue;
            }
            let via = format!("{} of {name}", expression.what);
            self.follow_tree(&expression.tree, &via);
        }
    }

    fn follow_triggers(&mut self, facts: &Facts, usage: Usage) {
        let name = shown(&facts.relation.schema, &facts.relation.name);
        for trigger in facts.triggers.iter().filter(|it| it.fires(usage)) {
            let trigger_name = Untrusted::from(trigger.name.as_str());
            let via = format!("the trigger `{trigger_name}` of {name}");
            self.reach(Node::Function(trigger.function), &via);
            if let Some(condition) = &trigger.condition {
                self.follow_tree(condition, &via);
            }
        }
    }

    /// Partitions and children are used with their parent; a change may move a row from one to another.
    fn follow_children(&mut self, facts: &Facts, usage: Usage) {
        if facts.relation.kind == 'I' {
            return;
        }
        let via = format!(
            "its parent {}",
            shown(&facts.relation.schema, &facts.relation.name)
        );
        let moves = facts.relation.reached_as() == RelationKind::Partitioned;
        for child in &facts.children {
            self.reach(Node::Relation(*child, usage), &via);
            if usage == Usage::Update && moves {
                self.reach(Node::Relation(*child, Usage::Insert), &via);
                self.reach(Node::Relation(*child, Usage::Delete), &via);
            }
        }
    }

    fn follow_cascades(&mut self, facts: &Facts, usage: Usage) {
        let via = format!(
            "a foreign key to {}",
            shown(&facts.relation.schema, &facts.relation.name)
        );
        for key in &facts.foreign_keys {
            let Some(usage) = key.cascades(usage, self.truncates_on) else {
                continue;
            };
            self.reach(Node::Relation(key.child, usage), &via);
            self.closure.cascades.insert(Cascade {
                parent: facts.relation.oid,
                child: key.child,
                usage,
            });
        }
    }
}

/// What using a foreign table does, as far as its kind tells. A file or a program behind it is no table.
fn effect_elsewhere(relation: &Relation, usage: Usage) -> Effect {
    let sql_behind_it = relation.wrapper.as_deref() == Some("postgres_fdw");
    match usage {
        _ if !sql_behind_it => Effect::Opaque,
        Usage::Select => Effect::Read,
        Usage::SelectForUpdate | Usage::Insert | Usage::Update => Effect::Write,
        Usage::Delete | Usage::Truncate => Effect::Destroy,
        Usage::Define => Effect::Write,
    }
}

const fn fires_rule(event: char, usage: Usage) -> bool {
    matches!(
        (event, usage),
        ('2', Usage::Update) | ('3', Usage::Insert) | ('4', Usage::Delete)
    )
}

fn has_instead(facts: &Facts, usage: Usage) -> bool {
    let mut triggers = facts.triggers.iter();
    triggers.any(|trigger| trigger.bits & INSTEAD != 0 && trigger.fires(usage))
}

impl Trigger {
    /// Whether it fires when its table is used so.
    fn fires(&self, usage: Usage) -> bool {
        let bit = match usage {
            Usage::Insert => 4,
            Usage::Delete => 8,
            Usage::Update => 16,
            Usage::Truncate => 32,
            Usage::Select | Usage::SelectForUpdate | Usage::Define => return false,
        };
        self.bits & bit != 0
    }
}

impl ForeignKey {
    /// What becomes of the rows that point to rows which are used so. TRUNCATE refuses where there are any,
    /// unless it `truncates_on`.
    const fn cascades(&self, usage: Usage, truncates_on: bool) -> Option<Usage> {
        let action = match usage {
            Usage::Truncate if truncates_on => return Some(Usage::Truncate),
            Usage::Delete => self.on_delete,
            Usage::Update => self.on_update,
            _ => return None,
        };
        match action {
            'c' if matches!(usage, Usage::Delete) => Some(Usage::Delete),
            'c' | 'n' | 'd' => Some(Usage::Update),
            _ => None,
        }
    }
}

impl Relation {
    fn reached_as(&self) -> RelationKind {
        RelationKind::of(self.kind)
    }

    fn resource(&self) -> Resource {
        super::closure::resource(self.reached_as().word(), &self.schema, &self.name)
    }
}

impl Reached {
    fn of(relation: &Relation) -> Self {
        Self {
            oid: relation.oid,
            schema: relation.schema.clone(),
            name: relation.name.clone(),
            kind: relation.reached_as(),
            usages: std::collections::BTreeSet::new(),
            named: false,
            rows: estimated(relation.rows),
            bytes: relation.bytes,
        }
    }
}

/// The estimate of rows, unless there never was one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate that is not negative; what is too large becomes the largest"
)]
fn estimated(rows: f64) -> Option<u64> {
    (rows >= 0.0).then_some(rows as u64)
}
