//! Writing a document anew: one text for one document, without comments, commas and other ignored
//! tokens. What is forwarded upstream is this text and never the agent's.

use std::borrow::Cow;

use super::document::{
    Definition, Directive, Field, FragmentDefinition, OperationDefinition, Selection, Type, Value,
    VariableDefinition,
};

/// The significant tokens of definitions, in the order in which the language writes them.
pub(crate) fn tokens<'a>(
    definitions: impl IntoIterator<Item = &'a Definition>,
) -> Vec<Cow<'a, str>> {
    let mut out = Tokens::default();
    for definition in definitions {
        match definition {
            Definition::Operation(operation) => out.operation(operation),
            Definition::Fragment(fragment) => out.fragment(fragment),
        }
    }
    out.0
}

/// The text of definitions.
pub(crate) fn text<'a>(definitions: impl IntoIterator<Item = &'a Definition>) -> String {
    join(&tokens(definitions))
}

/// One value as text, for people.
pub(crate) fn value_text(value: &Value) -> String {
    let mut out = Tokens::default();
    out.value(value);
    join(&out.0)
}

/// Tokens as text, with blanks where two would run together.
pub(crate) fn join(tokens: &[Cow<'_, str>]) -> String {
    let mut out = String::new();
    let mut last_is_word = false;
    for token in tokens {
        let is_word = !is_punctuator(token);
        if is_word && last_is_word {
            out.push(' ');
        }
        out.push_str(token);
        last_is_word = is_word;
    }
    out
}

fn is_punctuator(token: &str) -> bool {
    matches!(
        token,
        "!" | "$" | "&" | "|" | "..." | ":" | "=" | "@" | "(" | ")" | "[" | "]" | "{" | "}"
    )
}

/// A string literal with one spelling: everything but printable ASCII is escaped.
pub(crate) fn string_token(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            ' '..='~' => out.push(c),
            _ => push_escaped(c, &mut out),
        }
    }
    out.push('"');
    out
}

fn push_escaped(c: char, out: &mut String) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        out.push_str(&format!("\\u{unit:04x}"));
    }
}

#[derive(Default)]
struct Tokens<'a>(Vec<Cow<'a, str>>);

impl<'a> Tokens<'a> {
    fn put(&mut self, token: &'a str) {
        self.0.push(Cow::Borrowed(token));
    }

    fn operation(&mut self, operation: &'a OperationDefinition) {
        if !operation.shorthand {
            self.put(operation.kind.word());
            if let Some(name) = &operation.name {
                self.put(name);
            }
            self.variables(&operation.variables);
            self.directives(&operation.directives);
        }
        self.selections(&operation.selections);
    }

    fn fragment(&mut self, fragment: &'a FragmentDefinition) {
        self.put("fragment");
        self.put(&fragment.name);
        self.put("on");
        self.put(&fragment.on);
        self.directives(&fragment.directives);
        self.selections(&fragment.selections);
    }

    fn variables(&mut self, variables: &'a [VariableDefinition]) {
        if variables.is_empty() {
            return;
        }
        self.put("(");
        for variable in variables {
            self.put("$");
            self.put(&variable.name);
            self.put(":");
            self.ty(&variable.ty);
            if let Some(default) = &variable.default {
                self.put("=");
                self.value(default);
            }
        }
        self.put(")");
    }

    fn ty(&mut self, ty: &'a Type) {
        match ty {
            Type::Named(name) => self.put(name),
            Type::List(inner) => {
                self.put("[");
                self.ty(inner);
                self.put("]");
            }
            Type::NonNull(inner) => {
                self.ty(inner);
                self.put("!");
            }
        }
    }

    fn selections(&mut self, selections: &'a [Selection]) {
        self.put("{");
        for selection in selections {
            self.selection(selection);
        }
        self.put("}");
    }

    fn selection(&mut self, selection: &'a Selection) {
        match selection {
            Selection::Field(field) => self.field(field),
            Selection::Spread { name, directives } => {
                self.put("...");
                self.put(name);
                self.directives(directives);
            }
            Selection::Inline {
                on,
                directives,
                selections,
            } => {
                self.put("...");
                if let Some(on) = on {
                    self.put("on");
                    self.put(on);
                }
                self.directives(directives);
                self.selections(selections);
            }
        }
    }

    fn field(&mut self, field: &'a Field) {
        if let Some(alias) = &field.alias {
            self.put(alias);
            self.put(":");
        }
        self.put(&field.name);
        self.arguments(&field.arguments);
        self.directives(&field.directives);
        if !field.selections.is_empty() {
            self.selections(&field.selections);
        }
    }

    fn directives(&mut self, directives: &'a [Directive]) {
        for directive in directives {
            self.put("@");
            self.put(&directive.name);
            self.arguments(&directive.arguments);
        }
    }

    fn arguments(&mut self, arguments: &'a [(String, Value)]) {
        if arguments.is_empty() {
            return;
        }
        self.put("(");
        self.members(arguments);
        self.put(")");
    }

    fn members(&mut self, members: &'a [(String, Value)]) {
        for (name, value) in members {
            self.put(name);
            self.put(":");
            self.value(value);
        }
    }

    fn value(&mut self, value: &'a Value) {
        match value {
            Value::Variable(name) => {
                self.put("$");
                self.put(name);
            }
            Value::Int(text) | Value::Float(text) | Value::Enum(text) => self.put(text),
            Value::String(text) => self.0.push(Cow::Owned(string_token(text))),
            Value::Boolean(value) => self.put(if *value { "true" } else { "false" }),
            Value::Null => self.put("null"),
            Value::List(items) => {
                self.put("[");
                for item in items {
                    self.value(item);
                }
                self.put("]");
            }
            Value::Object(members) => {
                self.put("{");
                self.members(members);
                self.put("}");
            }
        }
    }
}
