//! What a build without tests leaves out.

use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Token};

/// Whether a thing with these attributes exists in tests only: `#[test]`, `#[cfg(test)]`, `#[cfg(all(test, unix))]`.
pub(crate) fn only_in_tests(attrs: &[Attribute]) -> bool {
    attrs.iter().any(|attr| {
        attr.path().is_ident("test")
            || attr.path().is_ident("cfg")
                && attr
                    .parse_args::<Meta>()
                    .is_ok_and(|predicate| holds(&predicate) == Some(false))
    })
}

/// Whether a predicate holds when `test` does not; `None` if that depends on the rest, such as features.
fn holds(predicate: &Meta) -> Option<bool> {
    let Meta::List(list) = predicate else {
        return predicate.path().is_ident("test").then_some(false);
    };
    let parts = list
        .parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
        .ok()?;
    let parts: Vec<_> = parts.iter().map(holds).collect();
    if list.path.is_ident("not") {
        parts.first().copied().flatten().map(|held| !held)
    } else if list.path.is_ident("all") {
        decided(&parts, false)
    } else if list.path.is_ident("any") {
        decided(&parts, true)
    } else {
        None
    }
}

/// One part with this value decides; else all of them have to be known.
fn decided(parts: &[Option<bool>], value: bool) -> Option<bool> {
    if parts.contains(&Some(value)) {
        Some(value)
    } else {
        parts.iter().all(Option::is_some).then_some(!value)
    }
}
