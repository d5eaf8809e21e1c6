//! Metrics of this process from the kernel (Linux; elsewhere nothing), under the names that Prometheus' own clients
//! use.

use std::fs;

use metrics::gauge;

/// Ticks a second in `/proc/*/stat`: a promise of the kernel to programs, whatever its own clock does.
const TICKS: f64 = 100.0;

/// Tells the recorder of this thread. What cannot be read is left out.
pub(super) fn record() {
    let (status, stat, limits) = (read("self/status"), read("self/stat"), read("self/limits"));
    if let Some(kib) = number(&status, "VmRSS:") {
        gauge!(description: "Memory in RAM, in bytes", "process_resident_memory_bytes").set(kib * 1024.0);
    }
    if let Some(count) = open_files() {
        gauge!(description: "Open file descriptors, connections included", "process_open_fds").set(count);
    }
    if let Some(most) = number(&limits, "Max open files") {
        gauge!(description: "The most file descriptors that may be open", "process_max_fds").set(most);
    }
    if let Some(count) = number(&status, "Threads:") {
        gauge!(description: "Threads", "process_threads").set(count);
    }
    let booted = number(&read("stat"), "btime");
    if let Some((booted, ticks)) = booted.zip(field(&stat, 22)) {
        gauge!(
            description: "When the process started, in seconds since 1970",
            "process_start_time_seconds"
        )
        .set(booted + ticks / TICKS);
    }
}

/// The one metric that is written by hand: counters of the recorder are whole numbers, and this one has fractions.
pub(super) fn cpu_text() -> String {
    let stat = read("self/stat");
    let cpu = field(&stat, 14).zip(field(&stat, 15));
    cpu.map_or_else(String::new, |(user, system)| {
        format!(
            "# HELP process_cpu_seconds_total CPU time of all threads, in seconds\n\
             # TYPE process_cpu_seconds_total counter\n\
             process_cpu_seconds_total {}\n",
            (user + system) / TICKS
        )
    })
}

fn read(file: &str) -> String {
    fs::read_to_string(format!("/proc/{file}")).unwrap_or_default()
}

/// The first number of the line that begins like this.
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

fn open_files() -> Option<u32> {
    // One of them was for looking.
    let count = fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
    u32::try_from(count).ok()
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
