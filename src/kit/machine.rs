//! What the system tells of a process and of the machine; where it is no Linux, nothing.

use std::fs;
use std::time::Duration;

/// The most memory that a process has held, in bytes, since it began or since [`forget_peak`].
pub fn peak_bytes(process: u32) -> Option<u64> {
    kilobytes(&fs::read_to_string(format!("/proc/{process}/status")).ok()?, "VmHWM:")
}

/// Begins the peak of a process anew, at what it holds now; where the system will not, the old one stays.
pub fn forget_peak(process: u32) {
    // 5 stands for the peak alone (proc(5), clear_refs).
    let _ = fs::write(format!("/proc/{process}/clear_refs"), "5");
}

/// How long all threads of a process have been on the processors, to a hundredth of a second.
pub fn processor_time(process: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name before may hold anything but ends with the last bracket (proc(5), stat).
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    let ticks = |place: usize| fields.get(place).and_then(|ticks| ticks.parse::<u64>().ok());
    // The system counts a hundred ticks a second for its users, whatever it counts for itself.
    Some(Duration::from_millis((ticks(11)? + ticks(12)?) * 10))
}

/// Asks a process to end, as an operator would.
pub fn ask_to_end(process: &std::process::Child) {
    // One that has ended already needs no asking.
    let _ = rustix::process::kill_process(rustix::process::Pid::from_child(process), rustix::process::Signal::TERM);
}

/// The name of the processor, as its maker writes it.
pub fn processor() -> Option<String> {
    let facts = fs::read_to_string("/proc/cpuinfo").ok()?;
    let name = facts.lines().find_map(|line| line.strip_prefix("model name"))?;
    Some(name.trim_start_matches([' ', '\t', ':']).to_owned())
}

/// The memory of the machine in bytes.
pub fn memory_bytes() -> Option<u64> {
    kilobytes(&fs::read_to_string("/proc/meminfo").ok()?, "MemTotal:")
}

/// The system's name and release.
pub fn system() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{} {}", std::env::consts::OS, release.trim()).trim_end().to_owned()
}

fn kilobytes(facts: &str, name: &str) -> Option<u64> {
    let line = facts.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_is_seen_and_forgotten() {
        let own = std::process::id();
        let before = peak_bytes(own).unwrap();
        drop(std::hint::black_box(vec![1_u8; 256 << 20]));
        let peak = peak_bytes(own).unwrap();
        assert!(peak >= before.max(256 << 20));
        forget_peak(own);
        assert!(peak_bytes(own).unwrap() < peak);
    }

    #[test]
    fn time_on_the_processor_is_counted_and_the_machine_is_known() {
        let own = std::process::id();
        let before = processor_time(own).unwrap();
        let mut sum = 0_u64;
        while processor_time(own).unwrap() == before {
            sum = std::hint::black_box((0..1_000_000).sum::<u64>() + sum);
        }
        assert!(memory_bytes().unwrap() > 100 << 20);
        assert!(system().starts_with("linux ") && !processor().unwrap().contains(':'));
    }
}
