//! The facts of the machine about itself and about processes. Linux only: elsewhere there are no figures of processor
//! time and memory, and everything else works.

use std::collections::HashMap;
use std::process::Command;

use serde::Serialize;

/// The machine of the measurements.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// The processor, as it calls itself.
    pub processor: String,
    /// How many cores there are.
    pub cores: usize,
    /// The system and its kernel.
    pub system: String,
    /// Runnable processes at the start: the averages of 1, 5 and 15 minutes.
    pub load_at_start: String,
}

impl Machine {
    /// This machine.
    #[must_use]
    pub fn this() -> Self {
        let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let processor = processors
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
            .map_or("unknown", |(_, name)| name);
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Self {
            processor: processor.to_owned(),
            cores: cores(),
            system: output_of("uname", &["-sr"]).unwrap_or_else(|| std::env::consts::OS.to_owned()),
            load_at_start: load.split(' ').take(3).collect::<Vec<_>>().join(" "),
        }
    }
}

/// How many cores there are: each server gets as many workers.
#[must_use]
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// How many cores the machine has, of which this process may have been given a part.
#[must_use]
pub fn cores_of_the_machine() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/stat").ok()?;
    let is_core = |line: &&str| {
        let number = line.strip_prefix("cpu");
        number.is_some_and(|rest| rest.starts_with(|character: char| character.is_ascii_digit()))
    };
    Some(text.lines().filter(is_core).count())
}

/// Reads processor time and memory of processes.
#[derive(Debug, Clone, Copy)]
pub struct Meter {
    ticks_per_second: f64,
}

impl Meter {
    /// A meter for this machine.
    #[must_use]
    pub fn new() -> Self {
        let ticks = output_of("getconf", &["CLK_TCK"]).and_then(|text| text.parse().ok());
        Self {
            ticks_per_second: ticks.unwrap_or(100.0),
        }
    }

    /// The processor time that these processes have used so far, in seconds, to 1/100 s for each. `None` if this
    /// system does not tell.
    #[must_use]
    pub fn processor_time(&self, processes: &[u32]) -> Option<f64> {
        processes.iter().map(|process| self.of_process(*process)).sum()
    }

    /// The same for each of them that there is. `None` if this system does not tell.
    #[must_use]
    pub fn processor_times(&self, processes: &[u32]) -> Option<HashMap<u32, f64>> {
        self.of_process(std::process::id())?;
        let times = processes
            .iter()
            .filter_map(|process| Some((*process, self.of_process(*process)?)));
        Some(times.collect())
    }

    fn of_process(self, process: u32) -> Option<f64> {
        let fields = Stat::of(process)?;
        Some((fields.number(USER_TIME)? + fields.number(SYSTEM_TIME)?) / self.ticks_per_second)
    }

    /// The processor time that the whole machine has used so far, in seconds: also what others did.
    #[must_use]
    pub fn machine_time(&self) -> Option<f64> {
        let text = std::fs::read_to_string("/proc/stat").ok()?;
        let numbers: Vec<f64> = text
            .lines()
            .next()?
            .split_whitespace()
            .filter_map(|field| field.parse().ok())
            .collect();
        // user nice system idle iowait irq softirq steal; the guests after them are in user already.
        let [user, nice, system, _, _, irq, softirq, steal, ..] = *numbers.as_slice() else {
            return None;
        };
        Some((user + nice + system + irq + softirq + steal) / self.ticks_per_second)
    }
}

impl Default for Meter {
    fn default() -> Self {
        Self::new()
    }
}

/// The memory of these processes that is in use now, in MiB. What several of them share counts once.
#[must_use]
pub fn resident_mebibytes(processes: &[u32]) -> Option<f64> {
    let field = if processes.len() == 1 { "Rss:" } else { "Pss:" };
    let kibibytes = processes.iter().map(|process| {
        let maps = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
        let line = maps.lines().find_map(|line| line.strip_prefix(field))?;
        line.split_whitespace().next()?.parse::<f64>().ok()
    });
    Some(kibibytes.sum::<Option<f64>>()? / 1024.0)
}

/// The most memory that a process has had since it started, in MiB.
#[must_use]
pub fn peak_resident_mebibytes(process: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<f64>().ok()? / 1024.0)
}

/// How many threads of the machine are running or waiting for a processor now, the one that asks not counted.
#[must_use]
pub fn runnable() -> Option<f64> {
    let averages = std::fs::read_to_string("/proc/loadavg").ok()?;
    let (runnable, _) = averages.split(' ').nth(3)?.split_once('/')?;
    Some((runnable.parse::<f64>().ok()? - 1.0).max(0.0))
}

/// A process and everything that it has started.
#[must_use]
pub fn family_of(process: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    for child in entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()) {
        if let Some(parent) = Stat::of(child).and_then(|stat| stat.text(PARENT)?.parse().ok()) {
            children.entry(parent).or_default().push(child);
        }
    }
    let mut family = vec![process];
    let mut next = 0;
    while let Some(member) = family.get(next) {
        let born = children.remove(member).unwrap_or_default();
        family.extend(born);
        next += 1;
    }
    family
}

/// Fields of `/proc/<pid>/stat` (its manual page is `proc_pid_stat`), counted from the one behind the name of the
/// program.
const PARENT: usize = 1;
const USER_TIME: usize = 11;
const SYSTEM_TIME: usize = 12;

struct Stat(String);

impl Stat {
    fn of(process: u32) -> Option<Self> {
        std::fs::read_to_string(format!("/proc/{process}/stat"))
            .ok()
            .map(Self)
    }

    /// The name stands in parentheses and may hold anything, parentheses too.
    fn text(&self, field: usize) -> Option<&str> {
        self.0.rsplit_once(") ")?.1.split(' ').nth(field)
    }

    fn number(&self, field: usize) -> Option<f64> {
        self.text(field)?.parse().ok()
    }
}

fn output_of(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_peak_is_no_less_than_what_is_in_use() {
        let this = std::process::id();
        let now = resident_mebibytes(&[this]).unwrap();
        assert!(peak_resident_mebibytes(this).unwrap() >= now * 0.9);
        assert!(runnable().unwrap() >= 0.0);
    }

    #[test]
    fn fields_are_counted_behind_a_name_that_holds_anything() {
        let stat = Stat("7 (a) b (c)) S 3 7 7 0 -1 4 5 6 7 8 250 50 1 2".to_owned());
        assert_eq!(stat.text(PARENT), Some("3"));
        assert_eq!(stat.number(USER_TIME), Some(250.0));
        assert_eq!(stat.number(SYSTEM_TIME), Some(50.0));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_that_works_uses_processor_time() {
        let meter = Meter::new();
        let me = [std::process::id()];
        let before = meter.processor_time(&me).unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while meter.processor_time(&me).unwrap() <= before {
            assert!(std::time::Instant::now() < deadline);
        }
        assert!(resident_mebibytes(&me).unwrap() > 0.5);
        assert!(cores_of_the_machine().unwrap() >= cores());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_child_belongs_to_the_family() {
        let mut child = Command::new("sh")
            .args(["-c", "read -r _"])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        assert!(family_of(std::process::id()).contains(&child.id()));
        drop(child.stdin.take());
        child.wait().unwrap();
    }
}
