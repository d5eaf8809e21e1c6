//! What the kernel says about this process (Linux; elsewhere nothing), under the names that Prometheus' own clients use.

use std::fmt::Write;
use std::fs;

/// Ticks a second in `/proc/*/stat`: a promise of the kernel to programs, whatever its own clock does.
const TICKS: f64 = 100.0;

/// Appends the figures as text (Prometheus exposition format 0.0.4). One that cannot be read is left out.
pub(super) fn render(text: &mut String) {
    let (status, stat, limits) = (read("self/status"), read("self/stat"), read("self/limits"));
    let cpu = field(&stat, 14).zip(field(&stat, 15));
    let booted = number(&read("stat"), "btime");
    let figures = [
        (
            "process_resident_memory_bytes",
            "gauge",
            "Memory in RAM, in bytes",
            number(&status, "VmRSS:").map(|kib| kib * 1024.0),
        ),
        (
            "process_cpu_seconds_total",
            "counter",
            "CPU time of all threads, in seconds",
            cpu.map(|(user, system)| (user + system) / TICKS),
        ),
        (
            "process_open_fds",
            "gauge",
            "Open file descriptors, connections included",
            open_files(),
        ),
        (
            "process_max_fds",
            "gauge",
            "The most file descriptors that may be open",
            number(&limits, "Max open files"),
        ),
        ("process_threads", "gauge", "Threads", number(&status, "Threads:")),
        (
            "process_start_time_seconds",
            "gauge",
            "When the process started, in seconds since 1970",
            booted
                .zip(field(&stat, 22))
                .map(|(booted, ticks)| booted + ticks / TICKS),
        ),
    ];
    for (name, kind, help, value) in figures {
        if let Some(value) = value {
            // Writing to a text cannot fail.
            let _ = write!(
                text,
                "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n\n"
            );
        }
    }
}

fn read(file: &str) -> String {
    fs::read_to_string(format!("/proc/{file}")).unwrap_or_default()
}

/// The first number of the line that begins so.
fn number(text: &str, beginning: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(beginning))?;
    line.split_whitespace().next()?.parse().ok()
}

/// A field of `/proc/self/stat`, counted from 1 (proc_pid_stat(5)).
fn field(stat: &str, number: usize) -> Option<f64> {
    // The second field is a name and may hold anything.
    let after_name = stat.rsplit_once(')')?.1;
    after_name.split_whitespace().nth(number - 3)?.parse().ok()
}

fn open_files() -> Option<f64> {
    let count = fs::read_dir("/proc/self/fd").ok()?.count();
    // One of them was for looking.
    u32::try_from(count.saturating_sub(1)).ok().map(f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_behind_whatever_name_the_process_has() {
        let stat = "7 (a) b (c) R 1 2 3 4 5 6 7 8 9 10 250 30 0 0 20 0 9 0 4000 1 2";
        assert_eq!(field(stat, 14), Some(250.0));
        assert_eq!(field(stat, 15), Some(30.0));
        assert_eq!(field(stat, 22), Some(4000.0));
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        assert_eq!(number("", "VmRSS:"), None);
        assert_eq!(number("Max open files unlimited", "Max open files"), None);
        assert_eq!(field("", 14), None);
    }
}
