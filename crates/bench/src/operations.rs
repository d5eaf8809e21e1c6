//! The requests to a server, as bytes.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io::Write;
use std::rc::Rc;

use clap::ValueEnum;
use rand::RngExt;
use serde::Serialize;

use crate::Fallible;
use crate::data::{KnownTask, Tokens, USERS, user};

/// How many tasks a page has.
pub const PAGE: usize = 50;

/// One kind of request, or a mixture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// One task by its id.
    Get,
    /// The newest 50 tasks of a user.
    List,
    /// Another title, description and status.
    Put,
    /// Another title.
    Patch,
    /// A new task.
    Post,
    /// A task goes.
    Delete,
    /// 70 % get, 15 % list, 10 % put, 5 % post.
    Mixed,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Put => "put",
            Self::Patch => "patch",
            Self::Post => "post",
            Self::Delete => "delete",
            Self::Mixed => "mixed",
        };
        f.pad(name)
    }
}

impl Operation {
    /// One of the mixture, by chance.
    fn drawn(self) -> Self {
        if self != Self::Mixed {
            return self;
        }
        match rand::rng().random_range(0..100) {
            0..70 => Self::Get,
            70..85 => Self::List,
            85..95 => Self::Put,
            _ => Self::Post,
        }
    }
}

/// Makes requests: users and tasks by chance, each change a real one.
#[derive(Debug)]
pub struct Requests {
    authorizations: HashMap<Rc<str>, String>,
    users: Vec<Rc<str>>,
    tasks: Vec<KnownTask>,
    to_delete: RefCell<Vec<KnownTask>>,
    changes: Cell<u64>,
}

impl Requests {
    /// Requests about these tasks.
    ///
    /// # Errors
    /// A token cannot be signed.
    pub fn new(tasks: Vec<KnownTask>, tokens: &Tokens) -> Fallible<Self> {
        let users: Vec<Rc<str>> = (0..USERS).map(|number| user(number).into()).collect();
        let owners: HashSet<_> = users.iter().chain(tasks.iter().map(|task| &task.user)).collect();
        let authorizations = owners
            .into_iter()
            .map(|user| Ok((Rc::clone(user), tokens.bearer(user)?)))
            .collect::<Fallible<_>>()?;
        Ok(Self {
            authorizations,
            users,
            tasks,
            to_delete: RefCell::default(),
            changes: Cell::new(0),
        })
    }

    /// From now on deletions take these tasks, each once. Answers those before them that were not deleted.
    pub fn will_delete(&self, tasks: Vec<KnownTask>) -> Vec<KnownTask> {
        self.to_delete.replace(tasks)
    }

    /// Writes the next request in place of what is in `request`, and returns the status that it must get; `None` when
    /// there is nothing left to delete.
    pub fn write_next(&self, operation: Operation, request: &mut Vec<u8>) -> Option<u16> {
        request.clear();
        match operation.drawn() {
            Operation::List => {
                let user = any_of(&self.users)?;
                self.write(request, "GET", user, &format!("?limit={PAGE}"), None);
                Some(200)
            }
            Operation::Post => {
                let user = any_of(&self.users)?;
                self.write(request, "POST", user, "", Some(&self.whole_task()));
                Some(201)
            }
            Operation::Delete => {
                let task = self.to_delete.borrow_mut().pop()?;
                self.write(request, "DELETE", &task.user, &format!("/{}", task.id), None);
                Some(204)
            }
            Operation::Put => self.write_about_a_task(request, "PUT", Some(&self.whole_task())),
            Operation::Patch => {
                let body = format!(
                    r#"{{"title":"A title of an ordinary length, {}"}}"#,
                    self.next_number()
                );
                self.write_about_a_task(request, "PATCH", Some(&body))
            }
            Operation::Get | Operation::Mixed => self.write_about_a_task(request, "GET", None),
        }
    }

    fn write_about_a_task(&self, request: &mut Vec<u8>, method: &str, body: Option<&str>) -> Option<u16> {
        let task = any_of(&self.tasks)?;
        self.write(request, method, &task.user, &format!("/{}", task.id), body);
        Some(200)
    }

    fn write(&self, request: &mut Vec<u8>, method: &str, user: &Rc<str>, rest: &str, body: Option<&str>) {
        let authorization = self.authorizations.get(user).map(String::as_str);
        write_request(request, method, &format!("/api/tasks{rest}"), authorization, body);
    }

    fn whole_task(&self) -> String {
        format!(
            r#"{{"title":"A title of an ordinary length, {}","description":"A description that says a little more about what is to be done.","status":"in_progress"}}"#,
            self.next_number()
        )
    }

    fn next_number(&self) -> u64 {
        self.changes.replace(self.changes.get() + 1)
    }
}

fn any_of<T>(items: &[T]) -> Option<&T> {
    items.get(rand::rng().random_range(0..items.len().max(1)))
}

/// Appends a request. `authorization` is the value of the header; a body is JSON.
pub fn write_request(
    request: &mut Vec<u8>,
    method: &str,
    target: &str,
    authorization: Option<&str>,
    body: Option<&str>,
) {
    // Nothing of this can fail: a vector takes everything.
    let _ = write!(request, "{method} {target} HTTP/1.1\r\nHost: localhost\r\n");
    if let Some(authorization) = authorization {
        let _ = write!(request, "Authorization: {authorization}\r\n");
    }
    let _ = match body {
        Some(body) => write!(
            request,
            "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
        None => write!(request, "\r\n"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests() -> Requests {
        let task = KnownTask {
            user: user(0).into(),
            id: "an-id".to_owned(),
        };
        Requests::new(
            vec![task],
            &Tokens::new("a secret of at least 32 bytes, for this test"),
        )
        .unwrap()
    }

    fn next(requests: &Requests, operation: Operation) -> (String, Option<u16>) {
        let mut request = b"something before".to_vec();
        let status = requests.write_next(operation, &mut request);
        (String::from_utf8(request).unwrap(), status)
    }

    #[test]
    fn a_request_names_a_task_and_carries_a_token() {
        let (text, status) = next(&requests(), Operation::Get);
        assert!(
            text.starts_with("GET /api/tasks/an-id HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ey"),
            "{text}"
        );
        assert!(text.ends_with("\r\n\r\n"), "{text}");
        assert_eq!(status, Some(200));
    }

    #[test]
    fn a_body_is_as_long_as_announced_and_no_two_changes_are_equal() {
        let requests = requests();
        let bodies: Vec<_> = [Operation::Put, Operation::Put, Operation::Patch, Operation::Post]
            .map(|operation| {
                let (text, _) = next(&requests, operation);
                let (head, body) = text.split_once("\r\n\r\n").unwrap();
                assert!(
                    head.ends_with(&format!("Content-Length: {}", body.len())),
                    "{head}"
                );
                serde_json::from_str::<serde_json::Value>(body).unwrap()
            })
            .into();
        assert_ne!(bodies[0], bodies[1]);
    }

    #[test]
    fn a_task_is_deleted_once() {
        let requests = requests();
        requests.will_delete(requests.tasks.clone());
        assert_eq!(next(&requests, Operation::Delete).1, Some(204));
        assert_eq!(next(&requests, Operation::Delete).1, None);
    }

    #[test]
    fn the_mixture_is_mostly_reads() {
        let drawn: Vec<_> = (0..2_000).map(|_| Operation::Mixed.drawn()).collect();
        let share = |operation| drawn.iter().filter(|drawn| **drawn == operation).count();
        assert!((1_200..1_600).contains(&share(Operation::Get)));
        assert!((200..400).contains(&share(Operation::List)));
        assert!(share(Operation::Put) > share(Operation::Post));
        assert_eq!(share(Operation::Mixed), 0);
    }
}
