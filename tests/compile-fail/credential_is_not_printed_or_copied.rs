//~ E0277: `AuthorizedHeaders` doesn't implement `std::fmt::Display`
//~ E0277: the trait bound `AuthorizedHeaders: Clone` is not satisfied
use tagout_core::pipeline::AuthorizedHeaders;

fn cloned<T: Clone>() {}

fn printed(headers: &AuthorizedHeaders) -> String {
    format!("{headers}")
}

fn main() {
    let _ = printed;
    cloned::<AuthorizedHeaders>();
}
