//! The writes of one user and the replies to them, and the verdict on what is there.
//!
//! A user does one thing after the other, so that the history of each task is a line. Each write has a number of its
//! own, and the content that it leaves behind shows the number: a task that is seen tells which write it shows.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Harm that must not come to writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Harm {
    /// An acknowledged write is undone, or what is there was never written.
    Lost,
    /// There twice, or written twice.
    Doubled,
    /// There again after its acknowledged deletion.
    Resurrected,
    /// An older write shows: one whose outcome was never told, over a later one that was acknowledged.
    Stale,
    /// A task that this user never wrote.
    Foreign,
}

/// A task as it was seen, in an answer or in the database.
#[derive(Debug, Clone)]
pub(crate) struct Sight {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) description: Option<String>,
    pub(crate) status: String,
    pub(crate) version: i64,
}

impl Sight {
    /// The task of an answer; `None` if it is no task.
    pub(crate) fn of(task: &Value) -> Option<Self> {
        let text = |name: &str| Some(task[name].as_str()?.to_owned());
        Some(Self {
            id: text("id")?,
            title: text("title")?,
            description: text("description"),
            status: text("status")?,
            version: task["version"].as_i64()?,
        })
    }

    /// The write that it shows; `None` if no write looks like this.
    fn number(&self) -> Option<u32> {
        let number = self.description.as_ref()?.parse().ok()?;
        (self.status == status_of(number)).then_some(number)
    }
}

fn status_of(number: u32) -> &'static str {
    ["pending", "in_progress", "completed"][number as usize % 3]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// Creates or changes the task: its content is the one of this number.
    Content(u32),
    Deletion,
}

#[derive(Debug, Clone, Copy)]
struct Write {
    act: Act,
    is_acknowledged: bool,
}

/// One task.
#[derive(Debug)]
struct Entry {
    title: String,
    /// Known once it was told or seen.
    id: Option<String>,
    has_key: bool,
    /// Its creation, then whatever followed.
    history: Vec<Write>,
    /// The version that was seen last, and the one that it has once all writes of unknown outcome have been applied.
    versions: (i64, i64),
}

impl Entry {
    fn is_acknowledged(&self, act: Act) -> bool {
        self.history
            .iter()
            .any(|write| write.act == act && write.is_acknowledged)
    }

    /// The harm if the task is not there.
    fn harm_of_absence(&self) -> Option<Harm> {
        let was_deleted = self.history.iter().any(|write| write.act == Act::Deletion);
        (self.history[0].is_acknowledged && !was_deleted).then_some(Harm::Lost)
    }

    /// The harm of the task looking like this; if there is none, the write that it shows.
    fn judge(&self, sight: &Sight) -> Result<usize, Harm> {
        if self.is_acknowledged(Act::Deletion) {
            return Err(Harm::Resurrected);
        }
        if self.id.as_ref().is_some_and(|id| *id != sight.id) {
            return Err(Harm::Lost);
        }
        let content = sight.number().map(Act::Content).ok_or(Harm::Lost)?;
        let shown = self.history.iter().position(|write| write.act == content);
        let shown = shown.ok_or(Harm::Lost)?;
        let newer = &self.history[shown + 1..];
        if newer
            .iter()
            .any(|write| write.is_acknowledged && write.act != Act::Deletion)
        {
            return Err(if self.history[shown].is_acknowledged {
                Harm::Lost
            } else {
                Harm::Stale
            });
        }
        let (seen, most) = self.versions;
        if sight.version > most {
            return Err(Harm::Doubled);
        }
        if sight.version < seen {
            return Err(Harm::Stale);
        }
        Ok(shown)
    }
}

/// The writes of one user.
#[derive(Debug)]
pub(crate) struct Ledger {
    owner: String,
    next: u32,
    entries: Vec<Entry>,
    acknowledged: usize,
    /// The harms, each with the title of its task, and the details.
    harms: BTreeMap<(Harm, String), String>,
}

impl Ledger {
    pub(crate) fn of(owner: &str) -> Self {
        Self {
            owner: owner.to_owned(),
            next: 0,
            entries: Vec::new(),
            acknowledged: 0,
            harms: BTreeMap::new(),
        }
    }

    pub(crate) fn owner(&self) -> &str {
        &self.owner
    }

    /// How many writes were acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        self.acknowledged
    }

    /// The harms to tasks, each with the details.
    pub(crate) fn harms(&self) -> impl Iterator<Item = (Harm, &str)> {
        self.harms
            .iter()
            .map(|((harm, _), details)| (*harm, details.as_str()))
    }

    pub(crate) fn id(&self, task: usize) -> Option<&str> {
        self.entries[task].id.as_deref()
    }

    /// The version of a task, if it is certain.
    pub(crate) fn version(&self, task: usize) -> Option<i64> {
        let (seen, most) = self.entries[task].versions;
        (seen == most).then_some(seen)
    }

    /// Tasks that can be asked for and have not been deleted, as far as is known.
    pub(crate) fn living(&self) -> Vec<usize> {
        self.tasks(|entry| entry.id.is_some() && !entry.is_acknowledged(Act::Deletion))
    }

    /// Tasks that can be asked for and must not be there.
    pub(crate) fn deleted(&self) -> Vec<usize> {
        self.tasks(|entry| entry.id.is_some() && entry.is_acknowledged(Act::Deletion))
    }

    /// Creations with a key whose outcome is unknown: they may be repeated.
    pub(crate) fn repeatable(&self) -> Vec<usize> {
        self.tasks(|entry| entry.id.is_none() && entry.has_key)
    }

    fn tasks(&self, is_wanted: impl Fn(&Entry) -> bool) -> Vec<usize> {
        let entries = self.entries.iter().enumerate();
        entries
            .filter(|(_, entry)| is_wanted(entry))
            .map(|(task, _)| task)
            .collect()
    }

    /// A creation is about to be sent.
    pub(crate) fn begin_creation(&mut self, has_key: bool) -> usize {
        let number = self.number();
        self.entries.push(Entry {
            title: format!("{}/{number}", self.owner),
            id: None,
            has_key,
            history: vec![Write {
                act: Act::Content(number),
                is_acknowledged: false,
            }],
            versions: (1, 1),
        });
        self.entries.len() - 1
    }

    /// The body of a creation; a repetition sends the same.
    pub(crate) fn creation(&self, task: usize) -> Value {
        let entry = &self.entries[task];
        let Act::Content(number) = entry.history[0].act else {
            unreachable!("a history starts with a creation")
        };
        json!({ "title": entry.title, "description": number.to_string(), "status": status_of(number) })
    }

    /// A change is about to be sent; returns its body.
    pub(crate) fn begin_change(&mut self, task: usize) -> Value {
        let number = self.number();
        let entry = &mut self.entries[task];
        entry.versions.1 += 1;
        entry.history.push(Write {
            act: Act::Content(number),
            is_acknowledged: false,
        });
        json!({ "description": number.to_string(), "status": status_of(number) })
    }

    /// A deletion is about to be sent.
    pub(crate) fn begin_deletion(&mut self, task: usize) {
        self.entries[task].history.push(Write {
            act: Act::Deletion,
            is_acknowledged: false,
        });
    }

    /// The last write to a task was acknowledged, with the task if the answer had one.
    pub(crate) fn acknowledge(&mut self, task: usize, sight: Option<&Sight>) {
        self.acknowledged += 1;
        let history = &mut self.entries[task].history;
        history.last_mut().expect("a write").is_acknowledged = true;
        if sight.is_some() {
            self.see(task, sight);
        }
    }

    /// The last write to a task was answered with: there is no such task.
    pub(crate) fn miss(&mut self, task: usize) {
        let entry = &mut self.entries[task];
        if let Some(Act::Content(_)) = entry.history.pop().map(|write| write.act) {
            entry.versions.1 -= 1;
        }
        self.see(task, None);
    }

    /// A task was looked for, and this is what was there.
    pub(crate) fn see(&mut self, task: usize, sight: Option<&Sight>) {
        let entry = &mut self.entries[task];
        let harm = match sight {
            None => {
                // The outcome of a deletion is known now.
                let deletion = entry.history.iter_mut().rfind(|write| write.act == Act::Deletion);
                if let Some(deletion) = deletion {
                    deletion.is_acknowledged = true;
                }
                entry.harm_of_absence()
            }
            Some(sight) => match entry.judge(sight) {
                Ok(shown) => {
                    entry.history[shown].is_acknowledged = true;
                    entry.versions.0 = sight.version;
                    entry.id = Some(sight.id.clone());
                    None
                }
                Err(harm) => Some(harm),
            },
        };
        if let Some(harm) = harm {
            let details = format!("{harm:?}: {entry:?} was seen as {sight:?}");
            let title = entry.title.clone();
            self.harms.entry((harm, title)).or_insert(details);
        }
    }

    /// Everything that this user has was looked at.
    pub(crate) fn see_all(&mut self, sights: &[Sight]) {
        let mut by_title: BTreeMap<&str, Vec<&Sight>> = BTreeMap::new();
        for sight in sights {
            by_title.entry(&sight.title).or_default().push(sight);
        }
        for task in 0..self.entries.len() {
            let title = self.entries[task].title.clone();
            match by_title.remove(title.as_str()).as_deref() {
                None => self.see(task, None),
                Some([sight]) => self.see(task, Some(sight)),
                Some(sights) => {
                    let details = format!("{title} was seen as {sights:?}");
                    self.harms.insert((Harm::Doubled, title), details);
                }
            }
        }
        for title in by_title.keys() {
            let details = format!("{} never wrote {title}", self.owner);
            self.harms.insert((Harm::Foreign, (*title).to_owned()), details);
        }
    }

    fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A task as it looks after the write of that number.
    fn sight(number: u32, version: i64) -> Sight {
        Sight {
            id: "id".to_owned(),
            title: "alice/1".to_owned(),
            description: Some(number.to_string()),
            status: status_of(number).to_owned(),
            version,
        }
    }

    /// Alice, with one acknowledged task.
    fn alice() -> Ledger {
        let mut ledger = Ledger::of("alice");
        let task = ledger.begin_creation(false);
        ledger.acknowledge(task, Some(&sight(1, 1)));
        ledger
    }

    /// The same, after a change that was acknowledged if the outcome says so.
    fn alice_after_a_change(is_acknowledged: bool) -> Ledger {
        let mut ledger = alice();
        ledger.begin_change(0);
        if is_acknowledged {
            ledger.acknowledge(0, Some(&sight(2, 2)));
        }
        ledger
    }

    fn harms_of(mut ledger: Ledger, there: &[Sight]) -> Vec<Harm> {
        ledger.see_all(there);
        ledger.harms().map(|(harm, _)| harm).collect()
    }

    #[test]
    fn what_was_acknowledged_and_is_there_is_fine() {
        assert_eq!(harms_of(alice(), &[sight(1, 1)]), []);
        assert_eq!(harms_of(alice_after_a_change(true), &[sight(2, 2)]), []);
    }

    #[test]
    fn a_write_of_unknown_outcome_may_have_happened_or_not() {
        assert_eq!(harms_of(alice_after_a_change(false), &[sight(1, 1)]), []);
        assert_eq!(harms_of(alice_after_a_change(false), &[sight(2, 2)]), []);
        let mut ledger = alice();
        ledger.begin_deletion(0);
        assert_eq!(harms_of(ledger, &[]), []);
        let mut ledger = Ledger::of("alice");
        ledger.begin_creation(false);
        assert_eq!(harms_of(ledger, &[]), []);
    }

    #[test]
    fn an_acknowledged_task_that_is_missing_is_lost() {
        assert_eq!(harms_of(alice(), &[]), [Harm::Lost]);
    }

    #[test]
    fn an_acknowledged_change_that_is_undone_is_lost() {
        assert_eq!(harms_of(alice_after_a_change(true), &[sight(1, 1)]), [Harm::Lost]);
    }

    #[test]
    fn content_that_no_one_wrote_is_lost_content() {
        assert_eq!(harms_of(alice(), &[sight(7, 1)]), [Harm::Lost]);
        let half = Sight {
            status: "completed".to_owned(),
            ..sight(1, 1)
        };
        assert_eq!(harms_of(alice(), &[half]), [Harm::Lost]);
    }

    #[test]
    fn a_task_under_another_id_than_the_acknowledged_one_is_lost() {
        let other = Sight {
            id: "other".to_owned(),
            ..sight(1, 1)
        };
        assert_eq!(harms_of(alice(), &[other]), [Harm::Lost]);
    }

    #[test]
    fn a_task_that_is_there_twice_is_doubled() {
        assert_eq!(harms_of(alice(), &[sight(1, 1), sight(1, 1)]), [Harm::Doubled]);
    }

    #[test]
    fn a_change_that_was_applied_twice_is_doubled() {
        assert_eq!(
            harms_of(alice_after_a_change(true), &[sight(2, 3)]),
            [Harm::Doubled]
        );
    }

    #[test]
    fn a_deleted_task_that_is_there_is_resurrected() {
        let mut ledger = alice();
        ledger.begin_deletion(0);
        ledger.acknowledge(0, None);
        assert_eq!(harms_of(ledger, &[sight(1, 1)]), [Harm::Resurrected]);
    }

    #[test]
    fn a_task_that_came_back_after_it_was_seen_missing_is_resurrected() {
        let mut ledger = alice();
        ledger.begin_deletion(0);
        ledger.see(0, None);
        assert_eq!(harms_of(ledger, &[sight(1, 1)]), [Harm::Resurrected]);
    }

    #[test]
    fn a_deletion_that_is_answered_with_404_while_the_task_should_be_there_is_a_loss() {
        let mut ledger = alice();
        ledger.begin_deletion(0);
        ledger.miss(0);
        assert_eq!(ledger.harms().count(), 1);
    }

    #[test]
    fn a_write_of_unknown_outcome_that_undoes_a_later_acknowledged_one_is_stale() {
        let mut ledger = alice_after_a_change(false);
        ledger.begin_change(0);
        ledger.acknowledge(0, Some(&sight(3, 2)));
        assert_eq!(harms_of(ledger, &[sight(2, 3)]), [Harm::Stale]);
    }

    #[test]
    fn an_older_version_than_the_one_seen_last_is_stale() {
        let mut ledger = alice_after_a_change(false);
        ledger.see(0, Some(&sight(2, 2)));
        assert_eq!(harms_of(ledger, &[sight(2, 1)]), [Harm::Stale]);
    }

    #[test]
    fn a_task_that_this_user_never_wrote_is_foreign() {
        let foreign = Sight {
            title: "bob/1".to_owned(),
            ..sight(1, 1)
        };
        assert_eq!(harms_of(alice(), &[sight(1, 1), foreign]), [Harm::Foreign]);
    }
}
