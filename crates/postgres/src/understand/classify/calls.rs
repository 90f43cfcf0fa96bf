//! Expressions: the functions, operators and types that they mention, and what is known of those
//! functions by name.

use pg_query::protobuf as pb;
use pg_query::{Node, NodeEnum, NodeRef};
use tagout_core::effect::{Effect, Reversibility};

use super::super::functions::{self, Reads, Vetted};
use super::super::name::{Name, text};
use super::super::parse::tree;
use super::super::settings::{Given, setting};
use super::super::statement::{Call, Object};
use super::super::tree::parts;
use super::query::only_column;
use super::session::setting_object;
use super::{Reading, When, statement_within};

impl<'a> Reading<'a> {
    pub(super) fn function_call(&mut self, call: &'a pb::FuncCall) {
        match Name::from_nodes(&call.funcname) {
            Some(name) => self.calls(
                name,
                &call.args,
                call.agg_order.len(),
                call.agg_within_group,
            ),
            None => self.not_understood("calls a function without a name"),
        }
        self.parts(NodeRef::FuncCall(call));
    }

    fn calls(&mut self, name: Name, arguments: &'a [Node], ordered: usize, within_group: bool) {
        let literals: Vec<_> = arguments
            .iter()
            .map(|each| literal(each).map(str::to_owned))
            .collect();
        let call = Call {
            arguments: arguments.len() + if within_group { ordered } else { 0 },
            name,
            literals,
        };
        self.what_is_known(&call, arguments);
        if !self.mentions.calls.contains(&call) {
            self.mentions.calls.push(call);
        }
    }

    fn what_is_known(&mut self, call: &Call, arguments: &'a [Node]) {
        let Vetted::Dangerous(effect, why) = functions::vetted(&call.name) else {
            return;
        };
        if self.when == When::Stored {
            if effect > Effect::Write {
                let function = Object::new("function", call.name.clone());
                let why =
                    "stores a call, for others to run, of a function that does more than look";
                self.act(Effect::Opaque, function, Reversibility::Unknown, why);
            }
            return;
        }
        self.escapes |= self.when == When::Now && functions::escapes(&call.name);
        match (
            call.name.name.as_str(),
            functions::reads(&call.name.name, call.arguments),
        ) {
            ("set_config", _) => self.set_config(call, arguments),
            ("ts_rewrite", None) => {}
            (_, Some(reads)) => self.reads_by_text(call, reads, why),
            _ => self.act(effect, object_of(call), reversibility(effect), why),
        }
    }

    /// What a function is given to run or to read is looked into as if it stood here.
    fn reads_by_text(&mut self, call: &Call, reads: Reads, why: &'static str) {
        let (Reads::Statement(at) | Reads::Relation(at)) = reads;
        let literal = call.literals.get(at).cloned().flatten();
        match (literal, reads) {
            (Some(sql), Reads::Statement(_)) => self.texts.push(sql),
            (Some(name), Reads::Relation(_)) => self.texts.push(format!("TABLE {name}")),
            (None, _) => {
                let function = Object::new("function", call.name.clone());
                self.act(Effect::Unknown, function, Reversibility::Unknown, why);
            }
        }
    }

    fn set_config(&mut self, call: &Call, arguments: &'a [Node]) {
        let named = match call.literals.first().cloned().flatten() {
            Some(name) => Some(name),
            None if arguments.first().and_then(only_column) == Some("name") => {
                self.pinned_setting.map(str::to_owned)
            }
            None => None,
        };
        let Some(name) = named.map(|name| name.to_lowercase()) else {
            let why = "changes a setting whose name the text does not show";
            let anything = Object::all("setting");
            return self.act(Effect::Unknown, anything, Reversibility::Unknown, why);
        };
        let value = call.literals.get(1).and_then(Option::as_deref);
        let (effect, why) = setting(&name, value.map_or(Given::Unseen, Given::Text));
        self.act(effect, setting_object(&name), reversibility(effect), why);
    }

    /// What the texts that functions are given mean, in this statement's name.
    pub(super) fn look_into_texts(&mut self) {
        for sql in std::mem::take(&mut self.texts) {
            let Some(depth) = self.texts_within.checked_sub(1) else {
                return self.not_understood("runs SQL within SQL within SQL");
            };
            let Ok(parsed) = tree(&sql) else {
                self.not_understood("runs SQL that we cannot read");
                continue;
            };
            for node in parsed.protobuf.stmts.iter().filter_map(statement_node) {
                let inner = statement_within("", node, depth);
                self.escapes |= inner.flow == super::Flow::Outside;
                inner.acts.into_iter().for_each(|act| self.push(act));
                self.mentions.take(inner.mentions);
            }
        }
    }

    pub(super) fn operator_expression(&mut self, expression: &'a pb::AExpr) {
        use pb::AExprKind::{AexprBetween, AexprBetweenSym, AexprNotBetween, AexprNotBetweenSym};
        let between = [
            AexprBetween,
            AexprNotBetween,
            AexprBetweenSym,
            AexprNotBetweenSym,
        ];
        if between.iter().any(|kind| expression.kind == *kind as i32) {
            self.operator(Name::bare(">="));
            self.operator(Name::bare("<="));
        } else {
            self.operator_named(&expression.name);
        }
        self.parts(NodeRef::AExpr(expression));
    }

    fn operator(&mut self, name: Name) {
        if !self.mentions.operators.contains(&name) {
            self.mentions.operators.push(name);
        }
    }

    fn operator_named(&mut self, parts: &[Node]) {
        match Name::from_nodes(parts) {
            Some(name) => self.operator(name),
            None => self.not_understood("uses an operator without a name"),
        }
    }

    /// `(x).name` may call `name(x)`.
    pub(super) fn indirection(&mut self, indirection: &'a pb::AIndirection) {
        for name in indirection.indirection.iter().filter_map(text) {
            self.columns.push(vec![name]);
            self.attribute(name);
            let function = Name::bare(name);
            if let Vetted::Dangerous(..) = functions::vetted(&function) {
                self.calls(
                    function,
                    indirection.arg.as_deref().map_or(&[], std::slice::from_ref),
                    0,
                    false,
                );
            }
        }
        if indirection.indirection.iter().any(is_star) {
            self.columns.push(vec!["*"]);
        }
        self.parts(NodeRef::AIndirection(indirection));
    }

    pub(super) fn column(&mut self, column: &'a pb::ColumnRef) {
        let path: Vec<&str> = column
            .fields
            .iter()
            .map(|field| text(field).unwrap_or("*"))
            .collect();
        if let [_, .., name] = path.as_slice()
            && *name != "*"
        {
            self.attribute(name);
        }
        if !self.columns.contains(&path) {
            self.columns.push(path);
        }
    }

    fn attribute(&mut self, name: &str) {
        if !self.mentions.attributes.iter().any(|each| each == name) {
            self.mentions.attributes.push(name.to_owned());
        }
    }

    pub(super) fn sub_link(&mut self, link: &'a pb::SubLink) {
        if link.testexpr.is_some() {
            if link.oper_name.is_empty() {
                self.operator(Name::bare("="));
            } else {
                self.operator_named(&link.oper_name);
            }
        }
        self.parts(NodeRef::SubLink(link));
    }

    pub(super) fn case(&mut self, case: &'a pb::CaseExpr) {
        if case.arg.is_some() {
            self.operator(Name::bare("="));
        }
        self.parts(NodeRef::CaseExpr(case));
    }

    pub(super) fn join(&mut self, join: &'a pb::JoinExpr) {
        if join.is_natural || !join.using_clause.is_empty() {
            self.operator(Name::bare("="));
        }
        self.parts(NodeRef::JoinExpr(join));
    }

    pub(super) fn sort_by(&mut self, sort: &'a pb::SortBy) {
        if !sort.use_op.is_empty() {
            self.operator_named(&sort.use_op);
        }
        self.parts(NodeRef::SortBy(sort));
    }

    pub(super) fn type_name(&mut self, name: &'a pb::TypeName) {
        if let Some(of) = Name::from_nodes(&name.names)
            && !self.mentions.types.contains(&of)
        {
            self.mentions.types.push(of);
        }
        self.parts(NodeRef::TypeName(name));
    }

    pub(super) fn table_sample(&mut self, sample: &'a pb::RangeTableSample) {
        if let Some(method) = Name::from_nodes(&sample.method) {
            self.calls(method, &sample.args, 0, false);
        }
        self.parts(NodeRef::RangeTableSample(sample));
    }

    pub(super) fn json_function(&mut self, json: &'a pb::JsonFuncExpr) {
        let name = match pb::JsonExprOp::try_from(json.op) {
            Ok(pb::JsonExprOp::JsonExistsOp) => "json_exists",
            Ok(pb::JsonExprOp::JsonQueryOp) => "json_query",
            Ok(pb::JsonExprOp::JsonTableOp) => "json_table",
            Ok(pb::JsonExprOp::JsonValueOp | pb::JsonExprOp::Undefined) | Err(_) => "json_value",
        };
        self.syntax_of_a_call(name, NodeRef::JsonFuncExpr(json));
    }

    /// Syntax of newer servers that an older one reads as a call of a function by that name.
    pub(super) fn syntax_of_a_call(&mut self, name: &'static str, node: NodeRef<'a>) {
        let mut arguments = 0;
        parts(node, &mut |_| arguments += 1);
        let call = Call {
            name: Name::bare(name),
            arguments,
            literals: vec![None; arguments],
        };
        if !self.mentions.calls.contains(&call) {
            self.mentions.calls.push(call);
        }
        self.parts(node);
    }
}

/// What a known function acts on, as far as its arguments show it.
fn object_of(call: &Call) -> Object {
    let first = call.literals.first().cloned().flatten();
    let kind = match call.name.name.as_str() {
        "nextval" | "setval" => "sequence",
        "pg_notify" => "channel",
        "pg_terminate_backend" | "pg_cancel_backend" => "session",
        "pg_read_file"
        | "pg_read_binary_file"
        | "pg_ls_dir"
        | "pg_stat_file"
        | "pg_file_write"
        | "pg_file_unlink"
        | "pg_file_rename" => "file",
        name if name.contains("_slot") => "replication_slot",
        name if name.starts_with("lo") => "large_object",
        _ => return Object::new("function", call.name.clone()),
    };
    let named = first.map(|text| match (kind, text.split_once('.')) {
        ("sequence", Some((schema, name))) => Name::within(schema, name),
        _ => Name::bare(text),
    });
    Object { kind, name: named }
}

/// Whether an effect can be taken back, where no more is known than the effect.
pub(super) const fn reversibility(effect: Effect) -> Reversibility {
    match effect {
        Effect::Read | Effect::SecretRead => Reversibility::Undoable,
        Effect::Write | Effect::Disrupt | Effect::Privilege | Effect::Unprotect => {
            Reversibility::Costly
        }
        Effect::Opaque | Effect::Unknown => Reversibility::Unknown,
        Effect::Emit | Effect::Destroy => Reversibility::Irreversible,
    }
}

/// The text of a plain string literal, with or without a cast.
pub(super) fn literal(node: &Node) -> Option<&str> {
    match &node.node {
        Some(NodeEnum::AConst(constant)) => match &constant.val {
            Some(pb::a_const::Val::Sval(string)) => Some(&string.sval),
            _ => None,
        },
        Some(NodeEnum::TypeCast(cast)) => cast.arg.as_deref().and_then(literal),
        _ => None,
    }
}

fn is_star(node: &Node) -> bool {
    matches!(node.node, Some(NodeEnum::AStar(_)))
}

pub(in super::super) fn statement_node(raw: &pb::RawStmt) -> Option<NodeRef<'_>> {
    let node = raw.stmt.as_ref()?.node.as_ref()?;
    Some(node.to_ref())
}
