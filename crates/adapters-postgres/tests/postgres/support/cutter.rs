//! A proxy that cuts a connection at an exact point of one statement.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "in tests a broken set-up should panic"
)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_postgres::Config;

use super::proxy::{Detour, connect};

/// When the connection breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The server never hears of the statement.
    Unsent,
    /// The server is at work; it will finish.
    AtWork,
    /// The server is done, but its answer is lost.
    Done,
    /// Rows and command tag have arrived, but not that the transaction has ended (`ReadyForQuery`).
    AlmostAnswered,
    /// The statement is held back on its way, and reaches the server when it is let go.
    Late,
}

/// Each point at which a statement can be lost, but for the one that the test lets go.
pub(crate) const CUTS: [Cut; 4] = [Cut::Unsent, Cut::AtWork, Cut::Done, Cut::AlmostAnswered];

/// Forwards everything until it meets a statement that it shall cut.
pub(crate) struct Cutter {
    detour: Detour,
    plan: Arc<Mutex<Plan>>,
}

/// The cuts that statements wait for, and the events that tests wait for.
struct Gates {
    /// Whether what was cut may run again.
    again: watch::Sender<bool>,
    /// Whether what was held back may go on.
    late: watch::Sender<bool>,
    /// How many statements were cut, and have come to an end on the server or will never reach it.
    settled: watch::Sender<usize>,
}

impl Default for Gates {
    fn default() -> Self {
        Self {
            again: watch::Sender::new(true),
            late: watch::Sender::new(true),
            settled: watch::Sender::new(0),
        }
    }
}

#[derive(Default)]
struct Plan {
    gates: Arc<Gates>,
    /// How many of them are passed over first.
    spared: usize,
    /// The beginning of the statement, the point, and how often.
    cut: Option<(&'static str, Cut, usize)>,
    /// The texts of the statements that were watched for.
    asked: Vec<String>,
}

impl Plan {
    /// Whether to cut this statement; and the gates that it may have to wait at.
    fn meet(&mut self, statement: &str) -> (Option<Cut>, Option<Arc<Gates>>) {
        self.asked.push(statement.to_owned());
        match self.cut.as_mut() {
            Some((beginning, cut, times)) if statement.starts_with(*beginning) => {
                let gates = Some(Arc::clone(&self.gates));
                if self.spared > 0 {
                    self.spared -= 1;
                    return (None, None);
                }
                let is_cut = *times > 0;
                *times = times.saturating_sub(1);
                (is_cut.then_some(*cut), gates)
            }
            _ => (None, None),
        }
    }
}

impl Cutter {
    /// In front of the server of that URL.
    pub(crate) async fn before(server: &str) -> Self {
        let plan = Arc::<Mutex<Plan>>::default();
        let carried = Arc::clone(&plan);
        let carry = move |client, config| carry(client, config, Arc::clone(&carried));
        Self {
            detour: Detour::to(server, carry).await,
            plan,
        }
    }

    /// The URL that leads through the cutter.
    pub(crate) fn url(&self) -> &str {
        self.detour.url()
    }

    /// Cuts the next statements that begin like this, `times` times, and forgets what was asked before.
    pub(crate) fn cut(&self, beginning: &'static str, cut: Cut, times: usize) {
        self.plan(beginning, cut, times, Arc::default());
    }

    /// Cuts the statement that begins like this and comes after `spared` others that do.
    pub(crate) fn cut_after(&self, beginning: &'static str, spared: usize, cut: Cut) {
        self.cut(beginning, cut, 1);
        self.lock().spared = spared;
    }

    /// Cuts the next statement that begins like this. A statement after it waits for [`Cutter::run_again`], and a
    /// late statement for [`Cutter::let_go`].
    pub(crate) fn cut_and_hold(&self, beginning: &'static str, cut: Cut) {
        let gates = Gates {
            again: watch::Sender::new(false),
            late: watch::Sender::new(false),
            ..Gates::default()
        };
        self.plan(beginning, cut, 1, Arc::new(gates));
    }

    fn plan(&self, beginning: &'static str, cut: Cut, times: usize, gates: Arc<Gates>) {
        *self.lock() = Plan {
            gates,
            spared: 0,
            cut: Some((beginning, cut, times)),
            asked: Vec::new(),
        };
    }

    /// Cut statements may run again.
    pub(crate) fn run_again(&self) {
        self.lock().gates.again.send_replace(true);
    }

    /// The held statement reaches the server.
    pub(crate) fn let_go(&self) {
        self.lock().gates.late.send_replace(true);
    }

    /// Waits until the statement that was cut has come to its end.
    pub(crate) async fn settled(&self) {
        let gates = Arc::clone(&self.lock().gates);
        let mut settled = gates.settled.subscribe();
        settled.wait_for(|count| *count > 0).await.expect("the gates");
    }

    /// How many statements that begin like this were sent since then.
    pub(crate) fn asked(&self, beginning: &str) -> usize {
        let plan = self.lock();
        let asked = plan.asked.iter();
        asked.filter(|statement| statement.starts_with(beginning)).count()
    }

    fn lock(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().expect("a sound lock")
    }
}

async fn carry(client: TcpStream, config: Config, plan: Arc<Mutex<Plan>>) {
    let server = connect(&config).await;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = tokio::io::split(server);
    let (order, orders) = watch::channel(None);
    let (mut held, mut passed) = (Vec::new(), None);
    let upwards = async {
        // The first message has no type.
        let length = from_client.read_u32().await.ok()?;
        let mut rest = vec![0; length as usize - 4];
        from_client.read_exact(&mut rest).await.ok()?;
        to_server.write_u32(length).await.ok()?;
        to_server.write_all(&rest).await.ok()?;
        let mut texts = HashMap::new();
        loop {
            let message = Message::read(&mut from_client).await?;
            match message.kind() {
                b'P' => drop(texts.insert(message.text(0), message.text(1))),
                b'B' => {
                    let statement = texts.get(&message.text(1)).map_or("", String::as_str);
                    let (cut, gates) = plan.lock().expect("a sound lock").meet(statement);
                    order.send_replace(cut);
                    if cut == Some(Cut::Unsent) {
                        passed = gates;
                        return Some(());
                    }
                    if cut.is_some() {
                        passed = gates;
                    } else if let Some(gates) = gates {
                        let mut again = gates.again.subscribe();
                        again.wait_for(|is_open| *is_open).await.ok()?;
                    }
                }
                _ => {}
            }
            if *order.borrow() == Some(Cut::Late) {
                held.extend(&message.0);
                if message.kind() == b'S' {
                    return Some(());
                }
                continue;
            }
            to_server.write_all(&message.0).await.ok()?;
            if message.kind() == b'S' && *order.borrow() == Some(Cut::AtWork) {
                return Some(());
            }
        }
    };
    let downwards = async {
        loop {
            let message = Message::read(&mut from_server).await?;
            let order = *orders.borrow();
            match order {
                None | Some(Cut::Unsent | Cut::Late) => to_client.write_all(&message.0).await.ok()?,
                Some(Cut::AlmostAnswered) if message.kind() != b'Z' => {
                    to_client.write_all(&message.0).await.ok()?;
                }
                Some(_) if message.kind() == b'Z' => return Some(()),
                Some(_) => {}
            }
        }
    };
    // The first to hang up ends both.
    tokio::select! {
        _ = upwards => {}
        _ = downwards => {}
    }
    drop((from_client, to_client));
    let Some(gates) = passed else { return };
    if !held.is_empty() {
        let mut late = gates.late.subscribe();
        let is_open = late.wait_for(|is_open| *is_open).await.is_ok();
        if !is_open || to_server.write_all(&held).await.is_err() {
            return;
        }
    }
    let cut = *orders.borrow();
    if matches!(cut, Some(Cut::AtWork | Cut::Late)) {
        while Message::read(&mut from_server)
            .await
            .is_some_and(|message| message.kind() != b'Z')
        {}
    }
    gates.settled.send_modify(|count| *count += 1);
}

/// A message of the protocol with its type and its length.
struct Message(Vec<u8>);

impl Message {
    async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Self> {
        let mut bytes = vec![0; 5];
        stream.read_exact(&mut bytes).await.ok()?;
        let length = u32::from_be_bytes(bytes[1..5].try_into().expect("four bytes"));
        bytes.resize(length as usize + 1, 0);
        stream.read_exact(&mut bytes[5..]).await.ok()?;
        Some(Self(bytes))
    }

    fn kind(&self) -> u8 {
        self.0[0]
    }

    /// One of the texts with which `Parse` and `Bind` begin.
    fn text(&self, number: usize) -> String {
        let mut texts = self.0[5..].split(|byte| *byte == 0);
        String::from_utf8_lossy(texts.nth(number).expect("a text")).into_owned()
    }
}
