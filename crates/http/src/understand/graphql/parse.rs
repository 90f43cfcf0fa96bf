//! From text to a document, strictly.
//!
//! `apollo-parser` recovers from errors, which a guard must not: any error it reports refuses the text.
//! What it might drop without an error is found by printing the document again and comparing its tokens
//! with those of the source. It is given those tokens alone, because it refuses some valid texts that
//! have commas or comments in unusual places.

use std::borrow::Cow;

use apollo_parser::cst;
use apollo_parser::{Lexer, Parser, TokenKind};

use super::document::{
    Definition, Directive, Document, Field, FragmentDefinition, OperationDefinition, OperationKind,
    Selection, Type, Value, VariableDefinition,
};
use super::{Misread, print, strings};

/// Nesting that no honest request needs.
const MAX_DEPTH: usize = 64;
/// Tokens, ignored ones included, that no honest request needs.
const MAX_TOKENS: usize = 50_000;

/// Parses an executable document.
pub(crate) fn parse(source: &str) -> Result<Document, Misread> {
    let tokens = significant(source)?;
    let plain = print::join(&tokens);
    let tree = Parser::new(&plain)
        .recursion_limit(MAX_DEPTH)
        .token_limit(MAX_TOKENS)
        .parse();
    if tree.errors().next().is_some() {
        return Err(Misread::Syntax);
    }
    let definitions = tree.document().definitions().map(definition);
    let document = Document {
        definitions: definitions.collect::<Result<_, _>>()?,
    };
    if document.definitions.is_empty() || tokens != print::tokens(&document.definitions) {
        return Err(Misread::Syntax);
    }
    Ok(document)
}

/// The source's tokens without the ignored ones, in the spelling that the printer uses.
fn significant(source: &str) -> Result<Vec<Cow<'_, str>>, Misread> {
    let (tokens, errors) = Lexer::new(source).with_limit(MAX_TOKENS).lex();
    if !errors.is_empty() {
        return Err(Misread::Syntax);
    }
    let mut out = Vec::with_capacity(tokens.len());
    for token in tokens {
        match token.kind() {
            TokenKind::Comma | TokenKind::Eof => {}
            TokenKind::Whitespace | TokenKind::Comment if is_ignored(token.data()) => {}
            TokenKind::StringValue => {
                let value = strings::decode(token.data()).ok_or(Misread::Syntax)?;
                out.push(Cow::Owned(print::string_token(&value)));
            }
            TokenKind::Int | TokenKind::Float if is_number(token.data()) => {
                out.push(Cow::Borrowed(token.data()));
            }
            TokenKind::Whitespace | TokenKind::Comment | TokenKind::Int | TokenKind::Float => {
                return Err(Misread::Syntax);
            }
            _ => out.push(Cow::Borrowed(token.data())),
        }
    }
    Ok(out)
}

/// No byte order mark in the middle, no control characters.
fn is_ignored(text: &str) -> bool {
    !text
        .chars()
        .any(|c| c == '\u{feff}' || (c < ' ' && !matches!(c, '\t' | '\n' | '\r')))
}

/// `-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?`
fn is_number(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let exponent = exponent.map(|text| text.strip_prefix(['+', '-']).unwrap_or(text));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(digits)
}

fn definition(node: cst::Definition) -> Result<Definition, Misread> {
    match node {
        cst::Definition::OperationDefinition(node) => operation(&node).map(Definition::Operation),
        cst::Definition::FragmentDefinition(node) => fragment(&node).map(Definition::Fragment),
        _ => Err(Misread::NotExecutable),
    }
}

fn operation(node: &cst::OperationDefinition) -> Result<OperationDefinition, Misread> {
    let kind = match node.operation_type() {
        None => OperationKind::Query,
        Some(word) if word.query_token().is_some() => OperationKind::Query,
        Some(word) if word.mutation_token().is_some() => OperationKind::Mutation,
        Some(word) if word.subscription_token().is_some() => OperationKind::Subscription,
        Some(_) => return Err(Misread::Syntax),
    };
    let variables = node.variable_definitions();
    let variables = variables
        .iter()
        .flat_map(|list| list.variable_definitions());
    Ok(OperationDefinition {
        kind,
        shorthand: node.operation_type().is_none(),
        name: node.name().as_ref().map(name).transpose()?,
        variables: variables
            .map(|node| variable(&node))
            .collect::<Result<_, _>>()?,
        directives: directives(node.directives())?,
        selections: selections(node.selection_set())?,
    })
}

fn fragment(node: &cst::FragmentDefinition) -> Result<FragmentDefinition, Misread> {
    Ok(FragmentDefinition {
        name: fragment_name(node.fragment_name())?,
        on: condition(node.type_condition())?.ok_or(Misread::Syntax)?,
        directives: directives(node.directives())?,
        selections: selections(node.selection_set())?,
    })
}

fn name(node: &cst::Name) -> Result<String, Misread> {
    let text = first_token(node)?;
    let first = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    let rest = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    match text.as_bytes() {
        [head, tail @ ..] if first(*head) && tail.iter().all(|byte| rest(*byte)) => Ok(text),
        _ => Err(Misread::Syntax),
    }
}

fn some_name(node: Option<cst::Name>) -> Result<String, Misread> {
    name(&node.ok_or(Misread::Syntax)?)
}

fn fragment_name(node: Option<cst::FragmentName>) -> Result<String, Misread> {
    match some_name(node.and_then(|node| node.name()))? {
        on if on == "on" => Err(Misread::Syntax),
        name => Ok(name),
    }
}

fn condition(node: Option<cst::TypeCondition>) -> Result<Option<String>, Misread> {
    match node {
        None => Ok(None),
        Some(node) => some_name(node.named_type().and_then(|ty| ty.name())).map(Some),
    }
}

fn variable(node: &cst::VariableDefinition) -> Result<VariableDefinition, Misread> {
    if node.directives().is_some() {
        return Err(Misread::Directive);
    }
    let default = node
        .default_value()
        .map(|node| node.value().ok_or(Misread::Syntax));
    Ok(VariableDefinition {
        name: some_name(node.variable().and_then(|node| node.name()))?,
        ty: ty(node.ty().ok_or(Misread::Syntax)?)?,
        default: default.transpose()?.map(value).transpose()?,
    })
}

pub(crate) fn ty(node: cst::Type) -> Result<Type, Misread> {
    match node {
        cst::Type::NamedType(node) => some_name(node.name()).map(Type::Named),
        cst::Type::ListType(node) => list_type(&node),
        cst::Type::NonNullType(node) => {
            let inner = match (node.named_type(), node.list_type()) {
                (Some(named), None) => Type::Named(some_name(named.name())?),
                (None, Some(list)) => list_type(&list)?,
                _ => return Err(Misread::Syntax),
            };
            Ok(Type::NonNull(Box::new(inner)))
        }
    }
}

fn list_type(node: &cst::ListType) -> Result<Type, Misread> {
    Ok(Type::List(Box::new(ty(node
        .ty()
        .ok_or(Misread::Syntax)?)?)))
}

fn selections(node: Option<cst::SelectionSet>) -> Result<Vec<Selection>, Misread> {
    let all = node.into_iter().flat_map(|node| node.selections());
    all.map(selection).collect()
}

fn selection(node: cst::Selection) -> Result<Selection, Misread> {
    match node {
        cst::Selection::Field(node) => Ok(Selection::Field(Field {
            alias: node
                .alias()
                .map(|alias| some_name(alias.name()))
                .transpose()?,
            name: some_name(node.name())?,
            arguments: arguments(node.arguments())?,
            directives: directives(node.directives())?,
            selections: selections(node.selection_set())?,
        })),
        cst::Selection::FragmentSpread(node) => Ok(Selection::Spread {
            name: fragment_name(node.fragment_name())?,
            directives: directives(node.directives())?,
        }),
        cst::Selection::InlineFragment(node) => Ok(Selection::Inline {
            on: condition(node.type_condition())?,
            directives: directives(node.directives())?,
            selections: selections(node.selection_set())?,
        }),
    }
}

fn directives(node: Option<cst::Directives>) -> Result<Vec<Directive>, Misread> {
    let all = node.into_iter().flat_map(|node| node.directives());
    let directive = |node: cst::Directive| {
        Ok(Directive {
            name: some_name(node.name())?,
            arguments: arguments(node.arguments())?,
        })
    };
    all.map(directive).collect()
}

fn arguments(node: Option<cst::Arguments>) -> Result<Vec<(String, Value)>, Misread> {
    let all = node.into_iter().flat_map(|node| node.arguments());
    distinct(all.map(|node| (node.name(), node.value())))
}

/// Members of an argument list or an input object; a name twice is an error.
fn distinct(
    members: impl Iterator<Item = (Option<cst::Name>, Option<cst::Value>)>,
) -> Result<Vec<(String, Value)>, Misread> {
    let mut out: Vec<(String, Value)> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for (name, node) in members {
        let name = some_name(name)?;
        if !seen.insert(name.clone()) {
            return Err(Misread::Twice);
        }
        out.push((name, value(node.ok_or(Misread::Syntax)?)?));
    }
    Ok(out)
}

fn value(node: cst::Value) -> Result<Value, Misread> {
    Ok(match node {
        cst::Value::Variable(node) => Value::Variable(some_name(node.name())?),
        cst::Value::StringValue(node) => Value::String(string(&node)?),
        cst::Value::FloatValue(node) => Value::Float(first_token(&node)?),
        cst::Value::IntValue(node) => Value::Int(first_token(&node)?),
        cst::Value::BooleanValue(node) => Value::Boolean(node.true_token().is_some()),
        cst::Value::NullValue(_) => Value::Null,
        cst::Value::EnumValue(node) => Value::Enum(enum_name(node.name())?),
        cst::Value::ListValue(node) => {
            Value::List(node.values().map(value).collect::<Result<_, _>>()?)
        }
        cst::Value::ObjectValue(node) => {
            let members = node.object_fields();
            Value::Object(distinct(members.map(|node| (node.name(), node.value())))?)
        }
    })
}

fn enum_name(node: Option<cst::Name>) -> Result<String, Misread> {
    match some_name(node)? {
        word if matches!(word.as_str(), "true" | "false" | "null") => Err(Misread::Syntax),
        word => Ok(word),
    }
}

fn string(node: &cst::StringValue) -> Result<String, Misread> {
    strings::decode(&first_token(node)?).ok_or(Misread::Syntax)
}

fn first_token(node: &impl cst::CstNode) -> Result<String, Misread> {
    let token = node.syntax().first_token().ok_or(Misread::Syntax)?;
    Ok(token.text().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_means_the_same() {
        for (source, printed) in [
            ("{me{id}}", "{me{id}}"),
            (
                "# x\nmutation,,M ( $id : String! = \"a\\u0062\" ) @include(if:true){ a: volumeDelete(volumeId:$id) ...F ... on Mutation { b } ... { c } }\nfragment F on Mutation { d(x:[1 2,-3.5e1 null true E {k: \"\"\"\n  v\n\"\"\"}]) }",
                "mutation M($id:String!=\"ab\")@include(if:true){a:volumeDelete(volumeId:$id)...F...on Mutation{b}...{c}}fragment F on Mutation{d(x:[1 2 -3.5e1 null true E{k:\"v\"}])}",
            ),
            (
                "query($a:[[Int!]!]){x(a:$a)}",
                "query($a:[[Int!]!]){x(a:$a)}",
            ),
            (
                "{x(a:\"\",b:\"c\",l:[\"\" \"d\"])}",
                "{x(a:\"\" b:\"c\" l:[\"\" \"d\"])}",
            ),
        ] {
            let document = parse(source).unwrap();
            assert_eq!(print::text(&document.definitions), printed);
            assert_eq!(parse(printed).unwrap(), document);
        }
    }

    #[test]
    fn what_the_language_refuses_is_refused() {
        for source in [
            "",
            "#",
            "{",
            "{}",
            "{a",
            "{a()}",
            "{a{}}",
            "query(){a}",
            "{a(x:1 x:2)}",
            "{a(x:{k:1 k:2})}",
            "{a(x:01)}",
            "{a(x:1.)}",
            "{a(x:1a)}",
            "{a(x:\"\\u{62}\")}",
            "{a(x:\"\n\")}",
            "fragment on on Q{a}",
            "{...on}",
            "type A{b:C}",
            "{a}type A{b:C}",
            "{a}}",
            "mutation",
            "{a(x:$)}",
            "{a @}",
            "query ($a:Int @x){a}",
            "{a \u{0}}",
            "{a(x:.5)}",
            "{a(x:-)}",
            "{ é }",
            "{a(x:\"\\ud83d\")}",
            "{a(x:0x1)}",
            "\u{feff}{a \u{feff}}",
            "extend type A{b:C}",
            "schema{query:Q}",
            "{a:b:c}",
            "{a(:1)}",
            "{...on Q}",
            "query a b{c}",
        ] {
            assert!(parse(source).is_err(), "{source}");
        }
    }

    #[test]
    fn deep_and_long_documents_are_refused() {
        assert!(parse(&format!("{}a{}", "{a".repeat(500), "}".repeat(500))).is_err());
        assert!(
            parse(&format!(
                "{{a(x:{}1{})}}",
                "[".repeat(5000),
                "]".repeat(5000)
            ))
            .is_err()
        );
        assert!(parse(&format!("{{{}}}", "a ".repeat(60_000))).is_err());
    }
}
