//! Figures that are looked up when somebody asks, as text (Prometheus exposition format 0.0.4).

use std::fmt::{Display, Write};

/// Figures, one after the other. The labels of a value are `name="value"`, separated by commas; there may be none.
pub(super) struct Text(pub(super) String);

impl Text {
    /// Appends a figure that goes up and down; one without values is left out.
    pub(super) fn gauge<V: Display>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (String, V)>,
    ) {
        self.append("gauge", name, help, values);
    }

    /// Appends a figure that only grows; one without values is left out.
    pub(super) fn counter<V: Display>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (String, V)>,
    ) {
        self.append("counter", name, help, values);
    }

    fn append<V: Display>(
        &mut self,
        kind: &str,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (String, V)>,
    ) {
        let mut values = values.into_iter().peekable();
        if values.peek().is_none() {
            return;
        }
        // Writing to a text cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in values {
            let _ = if labels.is_empty() {
                writeln!(self.0, "{name} {value}")
            } else {
                writeln!(self.0, "{name}{{{labels}}} {value}")
            };
        }
        self.0.push('\n');
    }
}

/// A value without labels.
pub(super) fn bare<V>(value: V) -> (String, V) {
    (String::new(), value)
}

/// A value with a label.
pub(super) fn labelled<V>(label: &str, of: &str, value: V) -> (String, V) {
    (format!("{label}=\"{of}\""), value)
}
