//! Two writers of one task, one of them over connections that break: whatever each was told fits one order of their
//! calls, and so does what is there at the end.
//!
//! A history is drawn from its seed: what the task is like, what the first writer does, where its connection breaks,
//! and what the second one does before, during and after that. The model is the domain (`Task::changed`), one call
//! after the other. What was acknowledged, or refused, happened exactly once, and while its caller waited. What was
//! answered as an outage happened once or never, at any time since.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "in tests a broken set-up should panic, and a failure says in which history"
)]

use std::time::Duration;

use crate::support::cutter::{CUTS, Cut, Cutter};
use crate::support::{a_title, migrated, settings};
use adapters_postgres::{PostgresDatabase, PostgresSettings, PostgresTaskRepository};
use chrono::{DateTime, TimeDelta, Utc};
use domain::identity::Owner;
use domain::storage::StorageError;
use domain::task::{
    Edit, Expected, Fingerprint, IdempotencyKey, InsertError, Status, Task, TaskChange, TaskRepository,
    UpdateError, Version,
};
use domain::testing::{a_task_with, an_owner_named, noon};
use futures_util::future::{join, join_all};

/// How many are run, and in how many threads of their own.
const HISTORIES: u64 = 600;
const LANES: u64 = 4;
/// A server has a hundred repeats before it has to earn them.
const HISTORIES_PER_SERVER: u64 = 50;

#[derive(Debug, Clone)]
enum Call {
    Insert(Task, Option<IdempotencyKey>),
    Update(TaskChange, Expected, DateTime<Utc>),
    Delete(Expected),
    Find,
}

impl Call {
    fn beginning(&self) -> &'static str {
        match self {
            Self::Insert(..) => "INSERT",
            Self::Update(..) => "UPDATE",
            Self::Delete(_) => "DELETE",
            Self::Find => "SELECT",
        }
    }

    async fn made_on(&self, repository: &PostgresTaskRepository, task: &Task) -> Answer {
        let (owner, id) = (task.owner(), task.id());
        let outcome = match self {
            Self::Insert(task, key) => {
                let inserted = repository.insert(task, key.clone()).await;
                inserted.map(|_| Some(task.clone())).map_err(|error| match error {
                    InsertError::Storage(error) => UpdateError::Storage(error),
                    other => panic!("{self:?}: {other:?}"),
                })
            }
            Self::Update(change, expected, now) => repository
                .update(owner, id, change, expected, *now)
                .await
                .map(Some),
            Self::Delete(expected) => repository.delete(owner, id, expected).await.map(|()| None),
            Self::Find => repository.find(owner, id).await.map_err(UpdateError::from),
        };
        match outcome {
            Ok(task) => Answer::Done(task),
            Err(UpdateError::NotFound) => Answer::NotFound,
            Err(UpdateError::VersionMismatch { current }) => Answer::Stale(current),
            Err(UpdateError::Storage(StorageError::Unavailable(_))) => Answer::Unknown,
            Err(other) => panic!("{self:?}: {other:?}"),
        }
    }

    /// The answer of the model, which makes the change too.
    fn modelled(&self, state: &mut Option<Task>) -> Answer {
        let task = match (self, state.as_ref()) {
            (Self::Insert(task, _), None) => {
                *state = Some(task.clone());
                return Answer::Done(state.clone());
            }
            (Self::Insert(..), Some(_)) => panic!("the id is new"),
            (Self::Find, task) => return Answer::Done(task.cloned()),
            (_, None) => return Answer::NotFound,
            (_, Some(task)) => task,
        };
        let (Self::Update(_, expected, _) | Self::Delete(expected)) = self else {
            unreachable!("an insertion or a look-up")
        };
        if !expected.allows(task.version()) {
            return Answer::Stale(task.version());
        }
        *state = match self {
            Self::Update(change, _, now) => Some(task.changed(change, *now)),
            _ => None,
        };
        Answer::Done(state.clone())
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Answer {
    /// With the task as it is afterwards.
    Done(Option<Task>),
    NotFound,
    Stale(Version),
    Unknown,
}

type Made = (Call, Answer);

/// The history of one task.
#[derive(Debug)]
struct History {
    first: Option<Task>,
    ours: Made,
    /// The calls of the other one before, while, and after the first writer waited for its answer.
    theirs: [Vec<Made>; 3],
    last: Option<Task>,
}

impl History {
    /// Whether one order of the calls explains every answer and what is there.
    fn has_an_order(&self) -> bool {
        let others: Vec<_> = self.theirs.concat();
        let begun = self.theirs[0].len();
        let answered = begun + self.theirs[1].len();
        let places = if self.ours.1 == Answer::Unknown {
            begun..=others.len() + 1
        } else {
            begun..=answered
        };
        places
            .into_iter()
            .any(|place| self.is_explained_with_ours_at(place, &others))
    }

    /// A place behind all others means: never.
    fn is_explained_with_ours_at(&self, place: usize, others: &[Made]) -> bool {
        let mut state = self.first.clone();
        for number in 0..=others.len() {
            if number == place {
                let answer = self.ours.0.modelled(&mut state);
                if self.ours.1 != Answer::Unknown && self.ours.1 != answer {
                    return false;
                }
            }
            if let Some((call, answer)) = others.get(number)
                && call.modelled(&mut state) != *answer
            {
                return false;
            }
        }
        state == self.last
    }
}

/// Draws what happens.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((bits ^ (bits >> 31)) >> 32).expect("32 bits") % limit
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }

    /// Clocks that are apart, and also those that show the same.
    fn time(&mut self, times: &[i64]) -> DateTime<Utc> {
        noon() + TimeDelta::hours(1) + TimeDelta::microseconds(self.of(times))
    }

    fn change(&mut self, titles: &[&str]) -> TaskChange {
        let mut change = TaskChange::default();
        if !self.one_in(3) {
            change.title = Edit::Set(a_title(self.of(titles)));
        }
        if self.one_in(3) {
            change.status = Edit::Set(self.of(&Status::ALL));
        }
        if self.one_in(4) {
            change.description = Edit::Set(None);
        }
        change
    }

    fn first(&mut self, owner: &Owner) -> Task {
        let updated_at = self.time(&[-1_000_000, 0, 9, 10, 12]);
        a_task_with(owner, "first", |parts| parts.updated_at = updated_at)
    }

    fn ours(&mut self, first: &Task) -> Call {
        match self.below(8) {
            0 => Call::Insert(first.clone(), None),
            1 => {
                let key = IdempotencyKey::new("key", Fingerprint([1; 32]));
                Call::Insert(first.clone(), Some(key.expect("a valid key")))
            }
            2 => Call::Delete(Expected::Any),
            3 => Call::Update(
                self.change(&["ours"]),
                Expected::OneOf(vec![first.version()]),
                self.time(&[10]),
            ),
            _ => Call::Update(self.change(&["first", "ours"]), Expected::Any, self.time(&[10])),
        }
    }

    fn theirs(&mut self, seen: Option<&Task>, ours: &Call, times: &[i64]) -> Call {
        let version = seen.map(|task| Expected::OneOf(vec![task.version()]));
        let expected = version.filter(|_| !self.one_in(3)).unwrap_or(Expected::Any);
        // A repeated key makes the task once more if it was deleted, as with every writer.
        let may_delete = !matches!(ours, Call::Insert(_, Some(_)));
        if may_delete && self.one_in(3) {
            Call::Delete(expected)
        } else {
            Call::Update(self.change(&["theirs", "first"]), expected, self.time(times))
        }
    }
}

/// The ways to one database: one over connections that break, one past them.
struct Ways {
    cutter: Cutter,
    ours: PostgresTaskRepository,
    theirs: PostgresTaskRepository,
}

impl Ways {
    async fn to(url: &str) -> Self {
        let cutter = Cutter::before(url).await;
        let through_cutter = PostgresDatabase::new(PostgresSettings {
            acquire_timeout: Duration::from_secs(5),
            ..settings(cutter.url())
        });
        Self {
            ours: through_cutter.worker(),
            theirs: PostgresDatabase::new(settings(url)).worker(),
            cutter,
        }
    }

    async fn history_of(&self, seed: u64) -> History {
        let mut draw = Draw(seed);
        let task = draw.first(&an_owner_named(&format!("usr_{seed}")));
        let ours = draw.ours(&task);
        let is_new = matches!(ours, Call::Insert(..));
        if !is_new {
            self.theirs.insert(&task, None).await.expect("an insertion");
        }
        let mut theirs = [const { Vec::new() }; 3];
        // Clocks may be behind ours, or ahead of it.
        let apart = [5, 15];
        self.let_others_act(&mut draw, &task, &ours, &apart, &mut theirs[0])
            .await;

        let cut = draw.of(&[CUTS.as_slice(), &[Cut::Late]].concat());
        self.cutter.cut_and_hold(ours.beginning(), cut);
        let meanwhile = async {
            // Nothing is cut while it is still on its way; and what is at work may be overtaken.
            while self.cutter.asked(ours.beginning()) == 0 {
                tokio::task::yield_now().await;
            }
            if matches!(cut, Cut::Done | Cut::AlmostAnswered) {
                self.cutter.settled().await;
            }
            self.let_others_act(&mut draw, &task, &ours, &apart, &mut theirs[1])
                .await;
            self.cutter.run_again();
            draw
        };
        let (answer, mut draw) = join(ours.made_on(&self.ours, &task), meanwhile).await;
        // Not behind it, once we were answered: a change to equal values leaves no trace that could stop a late run.
        self.let_others_act(&mut draw, &task, &ours, &[11, 15], &mut theirs[2])
            .await;
        self.cutter.let_go();
        self.cutter.settled().await;
        History {
            first: Some(task.clone()).filter(|_| !is_new),
            ours: (ours, answer),
            theirs,
            last: self
                .theirs
                .find(task.owner(), task.id())
                .await
                .expect("a look-up"),
        }
    }

    /// Perhaps the other writer looks at the task, and perhaps does something to what it sees.
    async fn let_others_act(
        &self,
        draw: &mut Draw,
        task: &Task,
        ours: &Call,
        times: &[i64],
        made: &mut Vec<Made>,
    ) {
        while draw.one_in(2) {
            let look = Call::Find.made_on(&self.theirs, task).await;
            let Answer::Done(seen) = look.clone() else {
                panic!("{look:?}")
            };
            made.push((Call::Find, look));
            if !draw.one_in(4) {
                let call = draw.theirs(seen.as_ref(), ours, times);
                let answer = call.made_on(&self.theirs, task).await;
                made.push((call, answer));
            }
        }
    }
}

/// The histories with these seeds.
async fn histories(url: &str, seeds: impl Iterator<Item = u64>) -> Vec<(u64, History)> {
    let mut histories = Vec::new();
    let mut ways = Ways::to(url).await;
    for (number, seed) in (1..).zip(seeds) {
        histories.push((seed, ways.history_of(seed).await));
        if number % HISTORIES_PER_SERVER == 0 {
            ways = Ways::to(url).await;
        }
    }
    histories
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn whatever_breaks_two_writers_are_told_what_one_order_of_their_calls_explains() {
    let database = test_postgres::fresh_database().await;
    migrated(database.url()).await;
    let lanes = (0..LANES).map(|lane| {
        histories(
            database.url(),
            (0..HISTORIES).filter(move |seed| seed % LANES == lane),
        )
    });
    let all: Vec<_> = join_all(lanes).await.into_iter().flatten().collect();
    let count = |is_so: fn(&History) -> bool| all.iter().filter(|(_, history)| is_so(history)).count();
    println!(
        "{} histories: {} of them acknowledged, {} answered as an outage",
        all.len(),
        count(|history| matches!(history.ours.1, Answer::Done(_))),
        count(|history| history.ours.1 == Answer::Unknown),
    );
    let wrong: Vec<_> = all
        .iter()
        .filter(|(_, history)| !history.has_an_order())
        .collect();
    for (seed, history) in wrong.iter().take(3) {
        println!("seed {seed}: {history:#?}");
    }
    let seeds: Vec<_> = wrong.iter().map(|(seed, _)| seed).collect();
    assert!(
        seeds.is_empty(),
        "{} of {HISTORIES} histories have no order: {seeds:?}",
        seeds.len()
    );
}

/// Ours changes the title and is acknowledged, theirs changes it after that; and at the end ours is there.
#[test]
fn a_history_in_which_something_is_undone_has_no_order() {
    let task = a_task_with(&an_owner_named("usr"), "first", |_| ());
    let at = |micros| noon() + TimeDelta::hours(1) + TimeDelta::microseconds(micros);
    let to = |text: &str, micros| {
        let change = TaskChange {
            title: Edit::Set(a_title(text)),
            ..TaskChange::default()
        };
        Call::Update(change, Expected::Any, at(micros))
    };
    let (ours, theirs) = (to("ours", 10), to("theirs", 15));
    let mut state = Some(task.clone());
    let our_answer = ours.modelled(&mut state);
    let their_answer = theirs.modelled(&mut state);
    let mut history = History {
        first: Some(task),
        ours: (ours.clone(), our_answer),
        theirs: [Vec::new(), Vec::new(), vec![(theirs, their_answer)]],
        last: state.clone(),
    };
    assert!(history.has_an_order());
    ours.modelled(&mut state);
    history.last = state;
    assert!(!history.has_an_order());
    // Made again is twice, also if the first time was never acknowledged.
    history.ours.1 = Answer::Unknown;
    assert!(!history.has_an_order());
}
