//! Following what a statement mentions to everything that will run or be touched with it, round by round:
//! one round asks for everything that the round before found. What is deeper or wider than the limits is
//! unknown.

use std::collections::{BTreeMap, BTreeSet};

use tagout_core::effect::{Effect, Reversibility};
use tagout_core::resource::Resource;

use super::ask::{Ask, AskError};
use super::closure::{Added, Closure, shown};
use super::code::{self, Cast, Function, Ways};
use super::function::{Judgement, words};
use super::here::Here;
use super::relation::{self, FIRST_OF_USERS, Facts};
use super::tree::references;
use super::vetting::Vetting;
use crate::understand::statement::Usage;

/// How often the catalog is asked for one statement. Each level of views, functions or cascades takes one.
const MOST_ROUNDS: usize = 32;

/// How many objects one statement may reach.
const MOST_OBJECTS: usize = 4_000;

/// A walk over everything that a statement reaches.
pub(super) struct Walk<'a> {
    pub(super) here: &'a Here,
    pub(super) vetting: &'a dyn Vetting,
    pub(super) closure: Closure,
    /// `TRUNCATE … CASCADE`.
    pub(super) truncates_on: bool,
    relations: BTreeMap<u32, Facts>,
    functions: BTreeMap<u32, Function>,
    ways: Option<Ways>,
    casts: Option<Vec<Cast>>,
    types: BTreeSet<u32>,
    seen: BTreeSet<Node>,
    next: Vec<(Node, String)>,
}

/// Something to be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Node {
    Relation(u32, Usage),
    Function(u32),
    Operator(u32),
    Type(u32),
}

impl<'a> Walk<'a> {
    pub(super) fn new(here: &'a Here, vetting: &'a dyn Vetting) -> Self {
        Self {
            here,
            vetting,
            closure: Closure {
                reads_only: true,
                creates_in: here.creates_in.clone(),
                ..Closure::default()
            },
            truncates_on: false,
            relations: BTreeMap::new(),
            functions: BTreeMap::new(),
            ways: None,
            casts: None,
            types: BTreeSet::new(),
            seen: BTreeSet::new(),
            next: Vec::new(),
        }
    }

    /// Asks for `node` to be followed, once. `via` says for a person how it comes in.
    pub(super) fn reach(&mut self, node: Node, via: &str) {
        if self.seen.insert(node) {
            self.next.push((node, via.to_owned()));
        }
    }

    /// Follows everything, until nothing new is found.
    pub(super) async fn finish(mut self, ask: &mut dyn Ask) -> Result<Closure, AskError> {
        for _ in 0..MOST_ROUNDS {
            self.reach_casts(ask).await?;
            if self.next.is_empty() {
                self.closure.add_cascades();
                self.closure.add_dependants();
                return Ok(self.closure);
            }
            if self.seen.len() > MOST_OBJECTS {
                break;
            }
            self.round(ask).await?;
        }
        Ok(Closure::unknown(
            "it reaches further through views, functions and triggers than is looked into",
        ))
    }

    async fn round(&mut self, ask: &mut dyn Ask) -> Result<(), AskError> {
        let nodes = std::mem::take(&mut self.next);
        self.fetch(ask, &nodes).await?;
        for (node, via) in nodes {
            match node {
                Node::Relation(oid, usage) => self.follow_relation(oid, usage, &via),
                Node::Function(oid) => self.follow_function(ask, oid, &via).await?,
                Node::Operator(_) | Node::Type(_) => {}
            }
        }
        Ok(())
    }

    /// Looks up everything new among `nodes`. Operators and types lead on to functions at once.
    async fn fetch(&mut self, ask: &mut dyn Ask, nodes: &[(Node, String)]) -> Result<(), AskError> {
        let new = |pick: &dyn Fn(Node) -> Option<u32>| {
            let oids: BTreeSet<u32> = nodes.iter().filter_map(|(node, _)| pick(*node)).collect();
            oids.into_iter().collect::<Vec<u32>>()
        };
        let relations = new(&|node| match node {
            Node::Relation(oid, _) if !self.relations.contains_key(&oid) => Some(oid),
            _ => None,
        });
        let functions = new(&|node| match node {
            Node::Function(oid) if !self.functions.contains_key(&oid) => Some(oid),
            _ => None,
        });
        if !relations.is_empty() {
            self.relations
                .extend(relation::look_up(ask, &relations).await?);
        }
        if !functions.is_empty() {
            let found = code::functions(ask, &functions).await?;
            self.functions
                .extend(found.into_iter().map(|it| (it.oid, it)));
        }
        self.fetch_operators(ask, nodes).await?;
        self.fetch_types(ask, nodes).await
    }

    async fn fetch_operators(
        &mut self,
        ask: &mut dyn Ask,
        nodes: &[(Node, String)],
    ) -> Result<(), AskError> {
        let operators: Vec<u32> = nodes
            .iter()
            .filter_map(|(node, _)| match node {
                Node::Operator(oid) => Some(*oid),
                _ => None,
            })
            .collect();
        if operators.is_empty() {
            return Ok(());
        }
        for function in code::operators(ask, &operators).await? {
            self.reach(Node::Function(function), "an operator");
        }
        Ok(())
    }

    async fn fetch_types(
        &mut self,
        ask: &mut dyn Ask,
        nodes: &[(Node, String)],
    ) -> Result<(), AskError> {
        let types: Vec<u32> = nodes
            .iter()
            .filter_map(|(node, _)| match node {
                Node::Type(oid) => Some(*oid),
                _ => None,
            })
            .collect();
        if types.is_empty() {
            return Ok(());
        }
        for found in code::types(ask, &types).await? {
            let via = format!("the type {}", shown(&found.schema, &found.name));
            for function in found.functions {
                self.reach(Node::Function(function), &via);
            }
            for inner in found.types {
                self.reach_type(inner);
            }
            self.follow_tree(&found.trees, &via);
        }
        self.types.extend(types);
        Ok(())
    }

    /// A type's checks and its own functions run with its values, and casts from or to it may.
    pub(super) fn reach_type(&mut self, oid: u32) {
        if oid >= FIRST_OF_USERS {
            self.reach(Node::Type(oid), "");
        }
    }

    /// Casts that users made run without being named. One can run if each of its ends can occur: is the
    /// server's own, or a type that was reached.
    async fn reach_casts(&mut self, ask: &mut dyn Ask) -> Result<(), AskError> {
        if self.casts.is_none() {
            self.casts = Some(code::casts(ask).await?);
        }
        let occurs = |oid: u32| oid < FIRST_OF_USERS || self.types.contains(&oid);
        let casts = self.casts.iter().flatten();
        let functions: Vec<u32> = casts
            .filter(|cast| occurs(cast.source) && occurs(cast.target))
            .map(|cast| cast.function)
            .collect();
        for function in functions {
            self.reach(Node::Function(function), "a cast");
        }
        Ok(())
    }

    /// Everything that a stored expression or query refers to. Relations in it are read.
    pub(super) fn follow_tree(&mut self, tree: &str, via: &str) {
        self.follow_tree_using(tree, via, &[Usage::Select]);
    }

    /// As [`Self::follow_tree`], where the relations in it are used in other ways.
    pub(super) fn follow_tree_using(&mut self, tree: &str, via: &str, usages: &[Usage]) {
        let found = references(tree);
        for function in found.functions {
            self.reach(Node::Function(function), via);
        }
        for operator in found.operators {
            if operator >= FIRST_OF_USERS {
                self.reach(Node::Operator(operator), via);
            }
        }
        for relation in found.relations {
            for usage in usages {
                self.reach(Node::Relation(relation, *usage), via);
            }
        }
        for each in found.types {
            self.reach_type(each);
        }
    }

    /// What was found of a relation; `None` if it has gone in the meantime.
    pub(super) fn facts(&self, oid: u32) -> Option<Facts> {
        self.relations.get(&oid).cloned()
    }

    async fn follow_function(
        &mut self,
        ask: &mut dyn Ask,
        oid: u32,
        via: &str,
    ) -> Result<(), AskError> {
        let Some(function) = self.functions.get(&oid).cloned() else {
            return Ok(());
        };
        if function.source.is_some() {
            self.learn_ways(ask).await?;
        }
        let ways = self.ways.clone().unwrap_or_default();
        match function.judge(self.here, &ways, self.vetting) {
            Judgement::Closed => {}
            Judgement::Changes => self.closure.reads_only = false,
            Judgement::Try => self.try_function(&function, via),
            Judgement::Outside(why) => self.refuse_function(&function, via, &why),
        }
        if function.oid < FIRST_OF_USERS {
            return Ok(());
        }
        self.follow_parts(&function);
        if !ways.out.is_empty() {
            self.follow_words(ask, &function).await?;
        }
        Ok(())
    }

    async fn learn_ways(&mut self, ask: &mut dyn Ask) -> Result<(), AskError> {
        if self.ways.is_none() {
            self.ways = Some(code::ways_out(ask).await?);
        }
        Ok(())
    }

    fn follow_parts(&mut self, function: &Function) {
        let via = format!("the function {}", shown(&function.schema, &function.name));
        for part in &function.parts {
            self.reach(Node::Function(*part), &via);
        }
        self.reach_type(function.returns);
        let usages: &[Usage] = if references(&function.trees).changes {
            &CHANGES
        } else {
            &[Usage::Select]
        };
        self.follow_tree_using(&function.trees, &via, usages);
    }

    /// Where this database has ways out, a body is followed by its words: whatever they may name.
    async fn follow_words(
        &mut self,
        ask: &mut dyn Ask,
        function: &Function,
    ) -> Result<(), AskError> {
        let Some(source) = &function.source else {
            return Ok(());
        };
        let via = format!("the function {}", shown(&function.schema, &function.name));
        self.follow_text(ask, source, &via).await
    }

    async fn follow_text(
        &mut self,
        ask: &mut dyn Ask,
        source: &str,
        via: &str,
    ) -> Result<(), AskError> {
        let said = words(source);
        let said: Vec<&str> = said.iter().map(String::as_str).collect();
        for word in code::words(ask, &said).await? {
            match word {
                code::Word::Function { oid } => self.reach(Node::Function(oid), via),
                code::Word::Relation { oid } => {
                    for usage in CHANGES {
                        self.reach(Node::Relation(oid, usage), via);
                    }
                }
            }
        }
        Ok(())
    }

    /// A block of code that the statement brings itself, text and all.
    pub(super) async fn follow_block(
        &mut self,
        ask: &mut dyn Ask,
        sql: &str,
    ) -> Result<(), AskError> {
        self.learn_ways(ask).await?;
        let ways = self.ways.clone().unwrap_or_default();
        self.closure.open = true;
        self.closure.reads_only = false;
        if let Judgement::Outside(why) = super::function::judge_block(sql, self.here, &ways) {
            self.closure.add(Added {
                effect: Effect::Opaque,
                resource: Resource::all("block"),
                why: why.clone(),
                reversibility: Reversibility::Irreversible,
                transactional: false,
                elsewhere: false,
            });
            self.closure.leaves(format!("the block of code: {why}"));
        }
        if ways.out.is_empty() {
            return Ok(());
        }
        self.follow_text(ask, sql, "the block of code").await
    }

    fn try_function(&mut self, function: &Function, via: &str) {
        self.closure.reads_only = false;
        self.closure.open = true;
        let whose = if function.definer {
            " with its owner's rights"
        } else {
            ""
        };
        self.closure.add(Added {
            effect: Effect::Opaque,
            resource: super::closure::resource("function", &function.schema, &function.name),
            why: format!("{via} runs it{whose}; what it does is seen when it runs"),
            reversibility: Reversibility::Unknown,
            transactional: true,
            elsewhere: false,
        });
    }

    fn refuse_function(&mut self, function: &Function, via: &str, why: &str) {
        let name = shown(&function.schema, &function.name);
        self.closure.reads_only = false;
        self.closure.open = true;
        self.closure.add(Added {
            effect: Effect::Opaque,
            resource: super::closure::resource("function", &function.schema, &function.name),
            why: format!("{via} runs it: {why}"),
            reversibility: Reversibility::Irreversible,
            transactional: false,
            elsewhere: false,
        });
        self.closure.leaves(format!("{via} runs {name}: {why}"));
    }
}

/// Every way in which a body may use a table.
pub(super) const CHANGES: [Usage; 4] = [Usage::Select, Usage::Insert, Usage::Update, Usage::Delete];
