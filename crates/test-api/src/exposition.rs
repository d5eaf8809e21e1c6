//! Reads metrics from text (Prometheus exposition format 0.0.4) and refuses whatever the format does not allow.

use std::collections::{BTreeMap, BTreeSet};

/// Labels and their values.
pub type Labels = BTreeMap<String, String>;

/// One line with a value.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The name, with the suffix of a histogram.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// Its value.
    pub value: f64,
}

/// Everything that one text says.
#[derive(Debug)]
pub struct Exposition {
    /// The type of each metric, by its name.
    pub types: BTreeMap<String, String>,
    /// The values, in the order of the text.
    pub samples: Vec<Sample>,
}

impl Exposition {
    /// Reads a text.
    pub fn parse(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line has no end");
        let (mut types, mut helped, mut samples) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, words) = help.split_once(' ').expect("a name and a help text");
                assert!(!words.is_empty() && helped.insert(name.to_owned()), "{line}");
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').expect("a name and a type");
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                let former = types.insert(name.to_owned(), kind.to_owned());
                assert!(former.is_none(), "a second type: {line}");
            } else {
                samples.push(sample(line));
            }
        }
        let exposition = Self { types, samples };
        exposition.check(&helped);
        exposition
    }

    /// Every sample belongs to a family that has a type and a help text, no two have the same labels, and histograms
    /// add up.
    fn check(&self, helped: &BTreeSet<String>) {
        let mut seen = BTreeSet::new();
        for sample in &self.samples {
            let family = self.family(&sample.name);
            assert!(helped.contains(family), "no help for {family}");
            assert!(
                seen.insert((&sample.name, &sample.labels)),
                "a second value: {sample:?}"
            );
            if self.types[family] == "counter" {
                assert!(family.ends_with("_total") && sample.value >= 0.0, "{sample:?}");
            }
        }
        for (name, _) in self.types.iter().filter(|(_, kind)| *kind == "histogram") {
            for count in self.of(&format!("{name}_count")) {
                let buckets: Vec<_> = self
                    .of(&format!("{name}_bucket"))
                    .filter(|bucket| {
                        let mut labels = bucket.labels.clone();
                        labels.remove("le");
                        labels == count.labels
                    })
                    .map(|bucket| bucket.value)
                    .collect();
                assert!(buckets.is_sorted(), "{name}: {buckets:?}");
                assert_eq!(
                    buckets.last(),
                    Some(&count.value),
                    "{name}: le=\"+Inf\" is the count"
                );
            }
        }
    }

    fn family<'a>(&self, name: &'a str) -> &'a str {
        ["_bucket", "_sum", "_count"]
            .iter()
            .filter_map(|suffix| name.strip_suffix(suffix))
            .find(|family| self.types.get(*family).is_some_and(|kind| kind == "histogram"))
            .unwrap_or_else(|| {
                assert!(self.types.contains_key(name), "no type for {name}");
                name
            })
    }

    /// The samples with this name.
    pub fn of(&self, name: &str) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(move |sample| sample.name == name)
    }

    /// The sum of the samples with this name and at least these labels.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let matches = |sample: &&Sample| {
            labels
                .iter()
                .all(|(label, value)| sample.labels.get(*label).is_some_and(|found| found == value))
        };
        self.of(name).filter(matches).map(|sample| sample.value).sum()
    }
}

fn sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').expect("a series and a value");
    let (name, labels) = match series.split_once('{') {
        Some((name, rest)) => (name, labels(rest.strip_suffix('}').expect("a closing brace"))),
        None => (series, Labels::new()),
    };
    assert!(is_name(name), "{line}");
    Sample {
        name: name.to_owned(),
        labels,
        value: value.parse().unwrap_or_else(|_| panic!("no number: {line}")),
    }
}

fn labels(mut text: &str) -> Labels {
    let mut labels = Labels::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"").expect("a label and its value");
        assert!(is_name(name), "{name}");
        let end = end_of_value(rest);
        let former = labels.insert(name.to_owned(), rest[..end].to_owned());
        assert!(former.is_none(), "the label {name} twice");
        text = &rest[end + 1..];
        text = text.strip_prefix(',').unwrap_or(text);
    }
    labels
}

/// Where the first quote stands that is not escaped.
fn end_of_value(text: &str) -> usize {
    let mut is_escaped = false;
    for (index, character) in text.char_indices() {
        match character {
            '"' if !is_escaped => return index,
            '\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    panic!("a value without an end: {text}")
}

fn is_name(text: &str) -> bool {
    let is_letter = |character: char| character.is_ascii_alphabetic() || character == '_';
    text.starts_with(is_letter)
        && text
            .chars()
            .all(|character| is_letter(character) || character.is_ascii_digit() || character == ':')
}
