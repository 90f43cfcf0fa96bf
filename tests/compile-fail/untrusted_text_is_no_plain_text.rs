//~ E0308: mismatched types
//~ E0277: the trait bound `Untrusted: AsRef<str>` is not satisfied
//~ E0277: the trait bound `String: From<Untrusted>` is not satisfied
//~ E0599: no method named `as_str` found for reference `&Untrusted`
// Text from outside reaches a person through `Display`, which escapes. It does not turn into plain text
// by itself; `AsRef<str>` is also what a renderer of pages asks of markup that it must not escape.
use tagout_core::untrusted::Untrusted;

fn dereferenced(text: &Untrusted) -> &str {
    text
}

fn named(text: &Untrusted) -> &str {
    text.as_str()
}

fn markup<T: AsRef<str>>() {}
fn text<T: Into<String>>() {}

fn main() {
    let _ = (dereferenced, named);
    markup::<Untrusted>();
    text::<Untrusted>();
}
