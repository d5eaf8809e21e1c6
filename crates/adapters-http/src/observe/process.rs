//! What the kernel says about this process (Linux; elsewhere nothing), under the names that Prometheus' own clients use.

use std::fs;

use super::text::{Text, bare};

/// Ticks a second in `/proc/*/stat`: a promise of the kernel to programs, whatever its own clock does.
const TICKS: f64 = 100.0;

/// Appends the figures. One that cannot be read is left out.
pub(super) fn render(text: &mut Text) {
    let (status, stat, limits) = (read("self/status"), read("self/stat"), read("self/limits"));
    let memory = number(&status, "VmRSS:").map(|kib| kib * 1024.0);
    let help = "Memory in RAM, in bytes";
    text.gauge("process_resident_memory_bytes", help, memory.map(bare));
    let cpu = field(&stat, 14).zip(field(&stat, 15));
    let cpu = cpu.map(|(user, system)| (user + system) / TICKS);
    let help = "CPU time of all threads, in seconds";
    text.counter("process_cpu_seconds_total", help, cpu.map(bare));
    let help = "Open file descriptors, connections included";
    text.gauge("process_open_fds", help, open_files().map(bare));
    let help = "The most file descriptors that may be open";
    text.gauge(
        "process_max_fds",
        help,
        number(&limits, "Max open files").map(bare),
    );
    text.gauge(
        "process_threads",
        "Threads",
        number(&status, "Threads:").map(bare),
    );
    let booted = number(&read("stat"), "btime");
    let started = booted
        .zip(field(&stat, 22))
        .map(|(booted, ticks)| booted + ticks / TICKS);
    let help = "When the process started, in seconds since 1970";
    text.gauge("process_start_time_seconds", help, started.map(bare));
}

fn read(file: &str) -> String {
    fs::read_to_string(format!("/proc/{file}")).unwrap_or_default()
}

/// The first number of the line that begins so.
fn number(text: &str, beginning: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(beginning))?;
    line.split_whitespace().next()?.parse().ok()
}

/// A field of `/proc/self/stat`, counted from 1 (`proc_pid_stat(5)`).
fn field(stat: &str, number: usize) -> Option<f64> {
    // The second field is a name and may hold anything.
    let after_name = stat.rsplit_once(')')?.1;
    after_name.split_whitespace().nth(number - 3)?.parse().ok()
}

fn open_files() -> Option<usize> {
    // One of them was for looking.
    Some(fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1))
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
