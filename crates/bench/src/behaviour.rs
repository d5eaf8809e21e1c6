//! The behaviour that a server must have before it is measured: a fast wrong one does not count.

#![expect(
    clippy::indexing_slicing,
    reason = "a JSON value answers `null` for a member that it does not have"
)]

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::Fallible;
use crate::data::{Tokens, user};
use crate::http::Connection;
use crate::operations::{PAGE, write_request};

/// Creates, reads, changes and deletes a task, and tries what must be refused. The server's first users must own more
/// than a page of tasks.
///
/// # Errors
/// The behaviour of the server instead of the expected one.
pub async fn check(server: SocketAddr, tokens: &Tokens) -> Fallible<()> {
    let client = Client { server, tokens };
    client.refuses_strangers().await?;
    client.refuses_bad_bodies().await?;
    let id = client.creates().await?;
    client.lists_only_its_own(&id).await?;
    client.changes(&id).await?;
    client.hides_from_others(&id).await?;
    client.deletes(&id).await
}

const TASK: &str = r#"{"title":"Buy \"milk\" \u00e9 \ud83e\udd5b","description":"2 litres"}"#;

/// Opens a connection for each request: anyone who refuses a request may close it.
struct Client<'a> {
    server: SocketAddr,
    tokens: &'a Tokens,
}

impl Client<'_> {
    async fn creates(&self) -> Fallible<String> {
        let task = self.expect("POST", "", Some(TASK), 201).await?;
        let id = task["id"].as_str().ok_or("a new task has no id")?.to_owned();
        is_as_wanted(
            "a new task",
            &task,
            &json!({"title": "Buy \"milk\" é 🥛", "description": "2 litres", "status": "pending", "version": 1, "user_id": user(0)}),
        )?;
        for time in ["created_at", "updated_at"] {
            // Some write the offset, some `Z`.
            let looks_right = task[time]
                .as_str()
                .is_some_and(|text| text.starts_with("20") && text.contains('T'));
            wanted(looks_right, || format!("a new task has {time} {}", task[time]))?;
        }
        let read = self.expect("GET", &format!("/{id}"), None, 200).await?;
        wanted(read["title"] == task["title"], || {
            format!("a new task reads as {read}")
        })?;
        Ok(id)
    }

    async fn lists_only_its_own(&self, newest: &str) -> Fallible<()> {
        let page = self.expect("GET", &format!("?limit={PAGE}"), None, 200).await?;
        let tasks = page.as_array().ok_or("a list is no array")?;
        wanted(tasks.len() == PAGE, || {
            format!("a page has {} tasks", tasks.len())
        })?;
        let is_first = tasks.first().is_some_and(|task| task["id"] == *newest);
        wanted(is_first, || {
            "a list does not begin with the newest task".to_owned()
        })?;
        let is_own = tasks.iter().all(|task| task["user_id"] == *user(0));
        wanted(is_own, || "a list has somebody else's tasks".to_owned())
    }

    async fn changes(&self, id: &str) -> Fallible<()> {
        let path = format!("/{id}");
        let task = self
            .expect(
                "PUT",
                &path,
                Some(r#"{"title":"New","description":null,"status":"completed"}"#),
                200,
            )
            .await?;
        is_as_wanted(
            "a task after PUT",
            &task,
            &json!({"title": "New", "description": null, "status": "completed", "version": 2}),
        )?;
        wanted(task["updated_at"] != task["created_at"], || {
            format!("a task after PUT has updated_at {}", task["updated_at"])
        })?;
        let task = self
            .expect("PATCH", &path, Some(r#"{"description":"Again"}"#), 200)
            .await?;
        let kept = json!({"title": "New", "description": "Again", "status": "completed", "version": 3});
        is_as_wanted("a task after PATCH", &task, &kept)?;
        let task = self.expect("GET", &path, None, 200).await?;
        is_as_wanted("a changed task", &task, &kept)
    }

    async fn hides_from_others(&self, id: &str) -> Fallible<()> {
        let other = self.tokens.bearer(&user(1))?;
        let path = format!("/{id}");
        for (method, body) in [
            ("GET", None),
            ("PUT", Some(TASK)),
            ("PATCH", Some(TASK)),
            ("DELETE", None),
        ] {
            self.expect_as(Some(&other), method, &path, body, 404).await?;
        }
        self.expect("GET", &path, None, 200).await.map(drop)
    }

    async fn deletes(&self, id: &str) -> Fallible<()> {
        let path = format!("/{id}");
        self.expect("DELETE", &path, None, 204).await?;
        for (method, body) in [("GET", None), ("PUT", Some(TASK)), ("DELETE", None)] {
            self.expect(method, &path, body, 404).await?;
        }
        Ok(())
    }

    async fn refuses_strangers(&self) -> Fallible<()> {
        let good = self.tokens.bearer(&user(0))?;
        let strange = Tokens::new("a secret that is not the one of the servers").bearer(&user(0))?;
        let expired = self.tokens.expired_bearer(&user(0))?;
        let cut = good.get(..good.len() - 10).unwrap_or_default();
        for authorization in [
            None,
            Some(strange.as_str()),
            Some(&expired),
            Some(cut),
            Some("Bearer nonsense"),
        ] {
            self.expect_as(authorization, "GET", "", None, 401).await?;
            self.expect_as(authorization, "POST", "", Some(TASK), 401).await?;
        }
        Ok(())
    }

    async fn refuses_bad_bodies(&self) -> Fallible<()> {
        let too_long = json!({"title": "x".repeat(256)}).to_string();
        let told_too_much = json!({"title": "x", "description": "x".repeat(10_001)}).to_string();
        for body in [
            "{",
            "{}",
            r#"{"title":""}"#,
            r#"{"title":7}"#,
            r#"{"title":"x","status":"done"}"#,
            r#"{"title":"x","titel":"y"}"#,
            &too_long,
            &told_too_much,
        ] {
            self.expect("POST", "", Some(body), 422).await?;
        }
        Ok(())
    }

    async fn expect(&self, method: &str, rest: &str, body: Option<&str>, status: u16) -> Fallible<Value> {
        let mine = self.tokens.bearer(&user(0))?;
        self.expect_as(Some(&mine), method, rest, body, status).await
    }

    /// The answer as JSON; `null` if it is none.
    async fn expect_as(
        &self,
        authorization: Option<&str>,
        method: &str,
        rest: &str,
        body: Option<&str>,
        status: u16,
    ) -> Fallible<Value> {
        let mut request = Vec::new();
        write_request(
            &mut request,
            method,
            &format!("/api/tasks{rest}"),
            authorization,
            body,
        );
        let mut connection = Connection::open(self.server).await?;
        let answer = connection.exchange(&request).await?;
        wanted(answer.status == status, || {
            format!(
                "{method} /api/tasks{rest} {}: {} instead of {status}: {}",
                body.unwrap_or_default(),
                answer.status,
                String::from_utf8_lossy(answer.body)
            )
        })?;
        Ok(serde_json::from_slice(answer.body).unwrap_or_default())
    }
}

fn is_as_wanted(what: &str, task: &Value, members: &Value) -> Fallible<()> {
    for (name, value) in members.as_object().into_iter().flatten() {
        wanted(task[name] == *value, || {
            format!("{what} has {name} {} instead of {value}", task[name])
        })?;
    }
    Ok(())
}

fn wanted(is_so: bool, otherwise: impl FnOnce() -> String) -> Fallible<()> {
    if is_so { Ok(()) } else { Err(otherwise().into()) }
}
